/** Plans from files: what a person or another version wrote is checked before anything runs. */
import { ConclaveError } from '@conclave/interface'
import { leastMessageBytes, mostMessageBytes } from './limits.ts'
import { type Plan, workloads } from './plan.ts'

/** What was read is no plan. */
export class InvalidPlan extends ConclaveError {
  override readonly name = 'InvalidPlan'
  readonly code = 'invalid-plan'
  readonly definite = true
}

type Check = (value: unknown, where: string) => void

const fail = (where: string, expected: string, value: unknown): never => {
  const given = value === undefined ? 'it is missing' : `it is ${JSON.stringify(value)?.slice(0, 60)}`
  throw new InvalidPlan(`${where === '' ? 'the plan' : where} must be ${expected}; ${given}`)
}

const numberFrom =
  (least: number, most: number): Check =>
  (value, where) => {
    if (typeof value !== 'number' || !(value >= least && value <= most))
      fail(where, `a number from ${least} to ${most}`, value)
  }

const integerFrom =
  (least: number, most: number): Check =>
  (value, where) => {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
      fail(where, `an integer from ${least} to ${most}`, value)
  }

const oneOf =
  (...values: readonly unknown[]): Check =>
  (value, where) => {
    if (!values.includes(value)) fail(where, values.map((each) => JSON.stringify(each)).join(' or '), value)
  }

const either =
  (literal: string, otherwise: Check): Check =>
  (value, where) => {
    if (value !== literal) otherwise(value, where)
  }

const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(where, 'an object', value)
    const prefix = where === '' ? '' : `${where}.`
    for (const name of Object.keys(value))
      if (!(name in fields)) throw new InvalidPlan(`${prefix}${name} is not part of a plan of version 1`)
    for (const [name, check] of Object.entries(fields))
      if (name !== 'workload' || name in value)
        check((value as Readonly<Record<string, unknown>>)[name], `${prefix}${name}`)
  }

const arrayOf =
  (check: Check, most: number): Check =>
  (value, where) => {
    if (!Array.isArray(value) || value.length > most) return fail(where, `an array of at most ${most}`, value)
    for (const [at, each] of value.entries()) check(each, `${where}[${at}]`)
  }

const mostNodes = 32
const mostMillis = 24 * 3_600_000
const node = integerFrom(1, mostNodes)
const target = either('leader', node)
const millis = numberFrom(0, mostMillis)
const probability = numberFrom(0, 1)
const kind = oneOf('power', 'kill')
const delay = object({ least: numberFrom(0, 60_000), most: numberFrom(0, 60_000) })
const weather = object({ drop: probability, duplicate: probability, reorder: probability, delay })

const actions: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  crash: { node: target, kind, downMillis: millis },
  'restart-storm': { times: integerFrom(1, 1_000), kind, everyMillis: millis },
  partition: { groups: arrayOf(arrayOf(node, mostNodes), mostNodes), millis },
  isolate: { node: target, millis },
  'one-way': { from: node, to: node, millis },
  reset: { a: node, b: node },
  weather: { weather, millis },
  pause: { node: target, millis },
  'disk-stall': { node: target, millis },
  'disk-full': { node: target, millis },
  'disk-fails': { node: target, millis },
  'disk-corruption': { node, downMillis: millis },
  'disk-lost': { node },
  coup: { on: oneOf('election', 'decision'), afterMillis: millis, millis, kind },
  add: { node, role: oneOf('voter', 'learner') },
  remove: { node: target },
  promote: { node },
  transfer: { to: node },
}

const fault: Check = (value, where) => {
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
  const fields = typeof type === 'string' && Object.hasOwn(actions, type) ? actions[type] : undefined
  if (fields === undefined) return fail(`${where}.type`, `one of ${Object.keys(actions).join(', ')}`, type)
  object({ type: oneOf(type), id: integerFrom(0, Number.MAX_SAFE_INTEGER), at: millis, ...fields })(value, where)
}

const plan = object({
  version: oneOf(1),
  seed: integerFrom(0, Number.MAX_SAFE_INTEGER),
  nodes: integerFrom(1, mostNodes),
  clients: integerFrom(0, 64),
  operationsEach: integerFrom(0, 1_000_000),
  leases: oneOf(true, false),
  // Plans of before have none.
  workload: oneOf(...workloads),
  messageBytes: integerFrom(leastMessageBytes, mostMessageBytes),
  weather,
  traits: arrayOf(
    object({
      clockRate: numberFrom(0.1, 10),
      upgradeAtLife: integerFrom(1, Number.MAX_SAFE_INTEGER),
      drainMillis: numberFrom(0, 1_000),
      persistedMillis: numberFrom(0, 1_000),
      diskMillis: numberFrom(0, 1_000),
    }),
    mostNodes,
  ),
  faults: arrayOf(fault, 1_000_000),
  chaosMillis: millis,
  broken: object({ nodes: arrayOf(node, mostNodes), links: arrayOf(object({ from: node, to: node }), 1_024) }),
  patienceMillis: millis,
})

const checkWhole = ({ nodes, traits, faults, chaosMillis }: Plan): void => {
  if (traits.length < nodes)
    throw new InvalidPlan(`traits must name each of the ${nodes} nodes; there are ${traits.length}`)
  let before = 0
  for (const [index, { at }] of faults.entries()) {
    if (at < before || at > chaosMillis)
      throw new InvalidPlan(
        `faults[${index}].at must not lie before the fault before it, nor after chaosMillis; it is ${at}`,
      )
    before = at
  }
  const ids = new Set(faults.map(({ id }) => id))
  if (ids.size !== faults.length) throw new InvalidPlan('two faults have the same id')
}

/**
 * Reads a plan from JSON.
 * @throws InvalidPlan that says which part is wrong, and what it should be.
 */
export const parsePlan = (json: string): Plan => {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new InvalidPlan(`a plan is JSON: ${error instanceof Error ? error.message : error}`)
  }
  plan(value, '')
  checkWhole(value as Plan)
  return value as Plan
}
