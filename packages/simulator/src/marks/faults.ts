import type { Mark, MarkSet } from '../marks.ts'
import type { FaultType } from '../plan.ts'

const members: readonly FaultType[] = ['add', 'remove', 'promote']

/** Every kind of fault. */
export const faultTypes: readonly FaultType[] = [
  'crash',
  'restart-storm',
  'partition',
  'isolate',
  'one-way',
  'reset',
  'weather',
  'pause',
  'disk-stall',
  'disk-full',
  'disk-fails',
  'disk-corruption',
  'disk-lost',
  'coup',
  ...members,
  'transfer',
]

const markOf = (type: FaultType): string => `fault: ${type}`

const needsOf = (type: FaultType): Mark['needs'] => {
  if (members.includes(type)) return ['membership']
  return type === 'transfer' ? ['transfer'] : undefined
}

/** Every kind of fault has struck. */
export const faultMarks: MarkSet = {
  marks: faultTypes.map((type) => {
    const needs = needsOf(type)
    return { name: markOf(type), fault: type, ...(needs !== undefined && { needs }) }
  }),
  watch: (hit) => (seen) => {
    if (seen.type === 'fault' && seen.ends !== true) hit(markOf(seen.fault.type))
  },
}
