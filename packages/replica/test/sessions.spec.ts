import {
  type ApplyContext,
  encodeBlock,
  epoch,
  type LogTime,
  position,
  type StateMachine,
  sessionCommands,
  sessionWindow,
} from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { ReplyWriter, SessionTable, sessionLimits } from '../src/sessions.ts'
import { block, ListMachine, openBlock, outcomeText } from './world.ts'

const at = (time: number): ApplyContext => ({ position: position(1), time: time as LogTime, epoch: epoch(1n) })

const apply = (table: SessionTable, bytes: Uint8Array, time = 0): string => {
  const replies = new ReplyWriter(bytes)
  table.expire(time as LogTime)
  table.applyBlock(bytes, at(time), replies)
  return outcomeText({ type: 'replies', bytes: replies.take() })
}
const control = (session: bigint, command: number): Uint8Array =>
  encodeBlock(session, 0, [{ serial: 0, machine: 0, bytes: Uint8Array.of(command) }])

const small = {
  ...sessionLimits,
  sessions: 2,
  ownSessions: 1,
  idleMillis: 1_000,
  sessionReplyBytes: 200,
  replyBytes: 300,
}
const make = (machine: StateMachine = new ListMachine()): SessionTable => new SessionTable([machine], small)

describe('the session table', () => {
  test('a session that was never opened is an error, and nothing is applied', () => {
    const machine = new ListMachine()
    expect(apply(make(machine), block(7n, 1, 'x'))).toBe('1:')
    expect(machine.items).toEqual([])
  })

  test('opening twice keeps what was there; closing twice is done', () => {
    const table = make()
    apply(table, openBlock(7n))
    apply(table, block(7n, 1, 'x'))
    expect(apply(table, openBlock(7n))).toBe('0:')
    expect(apply(table, block(7n, 1, 'x'))).toBe('0:1')
    expect(apply(table, control(7n, sessionCommands.close))).toBe('0:')
    expect(apply(table, control(7n, sessionCommands.close))).toBe('0:')
    expect(apply(table, block(7n, 1, 'x'))).toBe('1:')
    expect(apply(table, control(7n, sessionCommands.keepAlive))).toBe('1:')
  })

  test('a table that clients have filled has room for sessions of nodes', () => {
    const table = make()
    for (const session of [7n, 8n]) apply(table, openBlock(session))
    expect(apply(table, openBlock(9n))).toBe('4:')
    expect(apply(table, control(1n, sessionCommands.openOwn))).toBe('0:')
    expect(apply(table, block(1n, 1, 'x'))).toBe('0:1')
    expect(apply(table, control(2n, sessionCommands.openOwn))).toBe('4:')
    expect(apply(table, openBlock(9n))).toBe('4:')
  })

  test('what clients have filled leaves room for a few replies to each session', () => {
    const table = new SessionTable([new ListMachine()], { ...small, replyBytes: 150, ownReplyBytes: 100 })
    for (const session of [7n, 8n]) apply(table, openBlock(session))
    const answers = (session: bigint): string[] =>
      [1, 2, 3, 4].map((serial) => apply(table, block(session, serial, 'x')))
    expect(answers(7n)).toEqual(['0:1', '0:2', '0:3', '3:'])
    expect(answers(8n)).toEqual(['0:4', '0:5', '3:', '3:'])
  })

  test('one block may open its session and use it', () => {
    const table = make()
    const both = encodeBlock(7n, 0, [
      { serial: 0, machine: 0, bytes: Uint8Array.of(sessionCommands.open) },
      { serial: 1, machine: 1, bytes: Uint8Array.of(65) },
      { serial: 2, machine: 9, bytes: Uint8Array.of(65) },
    ])
    expect(apply(table, both)).toBe('0: 0:1 4:')
  })

  test('serials below what the client acknowledged are stale, far above it they are beyond the window', () => {
    const table = make()
    apply(table, openBlock(7n))
    for (const serial of [1, 2, 3]) apply(table, block(7n, serial, 'x'))
    expect(apply(table, block(7n, 4, 'y', 3))).toBe('0:4')
    expect(apply(table, block(7n, 2, 'x'))).toBe('2:')
    expect(apply(table, block(7n, 3, 'x'))).toBe('0:3')
    expect(apply(table, block(7n, 3 + sessionWindow, 'x'))).toBe('3:')
    expect(apply(table, block(7n, 2 + sessionWindow, 'x'))).toBe('0:5')
  })

  test('kept replies are bounded in bytes, and acknowledging makes room', () => {
    const table = make()
    apply(table, openBlock(7n))
    const replies = [1, 2, 3, 4, 5].map((serial) => apply(table, block(7n, serial, 'x')))
    expect(replies).toEqual(['0:1', '0:2', '0:3', '0:4', '3:'])
    expect(apply(table, block(7n, 5, 'x', 4))).toBe('0:5')
  })

  test('a session expires by log time since its last use, and only then is there room for another', () => {
    const table = make()
    apply(table, openBlock(1n), 0)
    apply(table, openBlock(2n), 500)
    expect(apply(table, openBlock(3n), 900)).toBe('4:')
    apply(table, control(1n, sessionCommands.keepAlive), 900)
    expect(apply(table, openBlock(3n), 1_500)).toBe('0:')
    expect(apply(table, block(2n, 1, 'x'), 1_500)).toBe('1:')
    expect(apply(table, block(1n, 1, 'x'), 1_500)).toBe('0:1')
  })

  test('what is encoded is the whole table: a decoded one goes on alike, and hashes alike', () => {
    const table = make()
    apply(table, openBlock(1n))
    apply(table, openBlock(2n), 5)
    apply(table, block(1n, 1, 'x'), 7)
    const copy = make()
    copy.decode(Buffer.concat(table.encode()))
    expect(copy.hash()).toBe(table.hash())
    expect(apply(copy, block(1n, 1, 'x'), 8)).toBe('0:1')
    expect(copy.hash()).not.toBe(table.hash())
    apply(table, block(1n, 1, 'x'), 8)
    expect(copy.hash()).toBe(table.hash())
  })

  test('a damaged table is refused whole', () => {
    const table = make()
    apply(table, openBlock(1n))
    const bytes = Buffer.concat(table.encode())
    const before = table.hash()
    expect(() => table.decode(bytes.subarray(0, -1))).toThrow()
    expect(() => table.decode(Buffer.concat([bytes, Buffer.of(0)]))).toThrow()
    expect(table.hash()).toBe(before)
  })
})
