import type { KindName } from './kinds.ts'
import { Refusal } from './refusal.ts'

/** As engines stand in configurations and machines in snapshots. */
const mostCharacters = 32
const mostDescription = 200

/** A name in the forms in which it stands in code. */
export interface Names {
  /** `my-algo` */
  readonly name: string
  /** `MyAlgo` */
  readonly pascal: string
  /** `myAlgo` */
  readonly camel: string
}

/** @throws Refusal that says what a name looks like. */
export const namesOf = (kind: KindName, given: string): Names => {
  const name = given.trim()
  if (!/^[a-z][0-9a-z]*(?:-[0-9a-z]+)*$/.test(name))
    throw new Refusal(
      `${JSON.stringify(given)} is no name for a plug-in: lower-case letters and digits, beginning with a letter, words joined by hyphens, such as my-algo`,
    )
  if (name.length > mostCharacters)
    throw new Refusal(`${name} has ${name.length} characters; a name has at most ${mostCharacters}`)
  if (name.startsWith(`${kind}-`))
    throw new Refusal(`leave the kind out of the name: ${name.slice(kind.length + 1)} makes ${name}`)
  const pascal = name
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
  return { name, pascal, camel: pascal.slice(0, 1).toLowerCase() + pascal.slice(1) }
}

/** @throws Refusal if it does not fit into a manifest, a README and a doc comment. */
export const checkedDescription = (given: string): string => {
  const description = given.trim()
  if (description === '' || description.length > mostDescription || /\p{Cc}|\*\//u.test(description))
    throw new Refusal(`a description is one line of 1 to ${mostDescription} characters, without */`)
  return description
}
