import type { InvalidInstance, ServiceInstance } from '@conclave/client/recipes'
import { color } from '../base-command.ts'
import { type Row, renderColumns } from '../view.ts'

const rowOf = ({ id, address, weight, health, zone = '-', tags }: ServiceInstance): Row => ({
  cells: [id, address, String(weight), health, zone, tags.join(' ') || '-'],
  ...(health === 'failing' ? { style: 'trouble' } : {}),
})

/** Lines of a table of instances. */
export const instanceLines = (instances: readonly ServiceInstance[]): string[] =>
  renderColumns(
    ['instance', 'address', 'weight', 'health', 'zone', 'tags'],
    new Set(['weight']),
    instances.map(rowOf),
    color,
  )

/** One instance in a line. */
export const instanceText = ({ id, address, weight, health, zone, tags }: ServiceInstance): string =>
  [
    id === address ? address : `${id} at ${address}`,
    `${health},`,
    `weight ${weight}`,
    ...(zone === undefined ? [] : [`zone ${zone}`]),
    ...(tags.length === 0 ? [] : [`tags ${tags.join(' ')}`]),
  ].join(' ')

export const invalidText = ({ service, id, reason }: InvalidInstance): string =>
  `${color('33', 'warning:', process.stderr)} ${service}/${id} says nothing that can be used, and is left out: ${reason}`

/** What is different between two lists, a line each. */
export const changeLines = (before: readonly ServiceInstance[], now: readonly ServiceInstance[]): string[] => {
  const known = new Map(before.map((instance) => [instance.id, instance]))
  const lines: string[] = []
  for (const instance of now) {
    const old = known.get(instance.id)
    known.delete(instance.id)
    if (old === undefined) lines.push(`${color('32', 'added', process.stdout)} ${instanceText(instance)}`)
    else if (JSON.stringify(old) !== JSON.stringify(instance))
      lines.push(`${color('33', 'changed', process.stdout)} ${instanceText(instance)}`)
  }
  for (const id of known.keys()) lines.push(`${color('31', 'removed', process.stdout)} ${id}`)
  return lines
}
