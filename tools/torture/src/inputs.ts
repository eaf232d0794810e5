/** Inputs in a few words, for tests. */
import {
  type Input,
  type Member,
  type MemberRole,
  type MembershipChange,
  nodeId,
  type Position,
  type ReadLevel,
  type RequestId,
  type SnapshotId,
} from '@conclave/interface'

const text = new TextEncoder()

export const propose = (id: number, batch = `batch ${id}`): Input => ({
  type: 'propose',
  id: id as RequestId,
  batch: text.encode(batch),
})

export const read = (id: number, level: ReadLevel = 'linearizable'): Input => ({
  type: 'read',
  id: id as RequestId,
  level,
})

export const reconfigure = (id: number, change: MembershipChange): Input => ({
  type: 'reconfigure',
  id: id as RequestId,
  change,
})

export const add = (id: number, n: number, role: MemberRole): Input =>
  reconfigure(id, { type: 'add', member: peer(n), role })

export const remove = (id: number, n: number): Input => reconfigure(id, { type: 'remove', id: nodeId(`n${n}`) })

export const transfer = (n: number): Input => ({ type: 'transfer', to: nodeId(`n${n}`) })

export const peer = (n: number, role: MemberRole = 'voter'): Member => ({
  id: nodeId(`n${n}`),
  name: `n${n}`,
  addresses: [],
  role,
})

export const captured = (position: number): Input => ({
  type: 'captured',
  snapshot: { id: snapshotId(`s${position}`), position: position as Position },
})

export const snapshotId = (id: string): SnapshotId => id as SnapshotId
