import { checkBlock, replyStatus, seededRandom, visitBlock } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { OwnCommands } from '../src/own-commands.ts'
import type { BlockDone, BlockOutcome } from '../src/proposals.ts'
import { ReplyWriter } from '../src/sessions.ts'

type Status = (typeof replyStatus)[keyof typeof replyStatus]

interface Sent {
  /** Session, ackedBelow, serial and command. */
  readonly text: string
  readonly bytes: Uint8Array
  /** As if it were decided. */
  reply(status: Status): void
  end(outcome: BlockOutcome): void
}

const textOf = (block: Uint8Array): string => {
  const { session, ackedBelow } = checkBlock(block)
  let text = ''
  visitBlock(block, (serial, machine, bytes) => {
    text =
      machine === 0 ? `${session} opens` : `${session} >=${ackedBelow} ${serial}: ${new TextDecoder().decode(bytes)}`
  })
  return text
}

/** Own commands of a leader, and what they submit. Sessions are called A, B and so on. */
const start = () => {
  const sent: Sent[] = []
  const names = new Map<string, string>()
  const named = (text: string): string => {
    const [id = '', ...rest] = text.split(' ')
    names.set(id, names.get(id) ?? String.fromCharCode(65 + names.size))
    return [names.get(id), ...rest].join(' ')
  }
  const submit = (bytes: Uint8Array, done: BlockDone): void => {
    const reply = (status: Status): void => {
      const writer = new ReplyWriter(bytes)
      visitBlock(bytes, (serial) => writer.add(serial, status, new Uint8Array(0)))
      done({ type: 'replies', bytes: writer.take() })
    }
    sent.push({ text: named(textOf(bytes)), bytes, reply, end: done })
  }
  const commands = new OwnCommands({ machine: 1, random: seededRandom(1), submit })
  commands.leads(true)
  /** What was submitted since the last call. */
  const take = (): Sent[] => sent.splice(0)
  return { commands, take, add: (text: string) => commands.add(new TextEncoder().encode(text)) }
}

const texts = (sent: readonly Sent[]): string[] => sent.map(({ text }) => text)

describe('own commands', () => {
  test('wait for their session; each is a block, and tells what is settled', () => {
    const { commands, take, add } = start()
    commands.pump()
    expect(take()).toEqual([])
    add('x')
    add('y')
    const [open] = take()
    expect(open?.text).toBe('A opens')
    open?.reply(replyStatus.applied)
    const [x, y] = take()
    expect([x?.text, y?.text]).toEqual(['A >=1 1: x', 'A >=1 2: y'])
    y?.reply(replyStatus.applied)
    add('z')
    expect(texts(take())).toEqual(['A >=1 3: z'])
    x?.reply(replyStatus.applied)
    add('a')
    expect(texts(take())).toEqual(['A >=3 4: a'])
  })

  test.each([
    ['refused', { type: 'refused', reason: 'overloaded' }],
    ['of unknown fate', { type: 'unknown' }],
  ] as const)('that are %s are sent again as they were, when it is time and this node leads', (_, outcome) => {
    const { commands, take, add } = start()
    add('x')
    take()[0]?.end(outcome)
    commands.pump()
    take()[0]?.reply(replyStatus.applied)
    const [first] = take()
    first?.end(outcome)
    commands.leads(false)
    commands.pump()
    expect(take()).toEqual([])
    commands.leads(true)
    const [second] = take()
    expect(second?.bytes).toEqual(first?.bytes)
    commands.pump()
    expect(take()).toEqual([])
    second?.reply(replyStatus.applied)
    commands.pump()
    expect(take()).toEqual([])
  })

  test('have a new session when the table has forgotten theirs', () => {
    const { commands, take, add } = start()
    add('x')
    take()[0]?.reply(replyStatus.applied)
    add('y')
    const [x, y] = take()
    x?.reply(replyStatus.unknownSession)
    y?.reply(replyStatus.unknownSession)
    commands.pump()
    const [open] = take()
    expect(open?.text).toBe('B opens')
    open?.reply(replyStatus.applied)
    expect(texts(take())).toEqual(['B >=1 1: x', 'B >=1 2: y'])
  })

  test('are tried again while the table is full, or has no room for more replies', () => {
    const { commands, take, add } = start()
    add('x')
    take()[0]?.reply(replyStatus.refused)
    expect(take()).toEqual([])
    commands.pump()
    take()[0]?.reply(replyStatus.applied)
    take()[0]?.reply(replyStatus.beyondWindow)
    commands.pump()
    const [again] = take()
    expect(again?.text).toBe('A >=1 1: x')
    again?.reply(replyStatus.staleSerial)
    commands.pump()
    expect(take()).toEqual([])
  })

  test('are bounded: the oldest that is undecided is given up', () => {
    const { commands, take, add } = start()
    commands.leads(false)
    for (let count = 0; count <= 65_536; count++) add(String(count))
    commands.leads(true)
    take()[0]?.reply(replyStatus.applied)
    const sent = take()
    expect(sent).toHaveLength(65_536)
    expect(sent[0]?.text).toBe('A >=2 2: 1')
  })
})
