/**
 * Sentences of "Zab: High-performance broadcast for primary-backup systems" (Junqueira, Reed, Serafini, DSN 2011) and of ZooKeeper's bugs (ZOOKEEPER-…), and
 * what holds if they do.
 */
import { timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Message } from '../src/messages.ts'
import { e, type Flying, give, lone } from './nodes.ts'

const told = (said: readonly Flying[], type: Message['type']) =>
  said.map(({ message }) => message).filter((message) => message.type === type)

describe('phase 1: discovery', () => {
  it('the CEPOCH by which a node learns that it leads counts: it need not be said again', () => {
    const { node, said } = lone()
    node.tick(timing.heartbeatTicks)
    give(node, 'n2', { type: 'cepoch', epoch: e(4), acceptedFrom: node.id })
    expect(node.status).toMatchObject({ role: 'LEADING', epoch: 5n })
    expect(told(said, 'newEpoch')).toEqual([{ type: 'newEpoch', epoch: 5 }])
  })
})
