import {
  type Decided,
  encodeBatch,
  encodeBlock,
  epoch,
  type LogTime,
  MalformedBytes,
  nodeId,
  position,
  sessionCommands,
} from '@conclave/interface'
import { encodeKey, encodePut, kvMachine } from '@conclave/machine-kv'
import { expect, test } from 'vitest'
import { replay } from '../src/testing.ts'

const put = (key: string, value: string): Uint8Array => encodePut(encodeKey(key), new TextEncoder().encode(value))

const log = (): Decided[] => [
  { type: 'reign', position: position(1), epoch: epoch(1n), leader: nodeId('a') },
  ...[1, 2, 3, 4].map(
    (serial): Decided => ({
      type: 'batch',
      position: position(serial + 1),
      epoch: epoch(1n),
      batch: encodeBatch(serial as LogTime, [
        encodeBlock(7n, 0, [{ serial: 0, machine: 0, bytes: Uint8Array.of(sessionCommands.open) }]),
        encodeBlock(7n, 0, [{ serial: Math.min(serial, 3), machine: 1, bytes: put('k', `${serial}`) }]),
      ]),
    }),
  ),
]

test('a log gives the same state in one turn, in many, and after a snapshot at any position', async () => {
  const whole = replay([kvMachine()])
  whole.apply(log(), 1 << 20)
  expect(whole.position).toBe(5)
  for (const at of [1, 2, 3, 4, 5]) {
    const part = replay([kvMachine()])
    part.apply(log().slice(0, at), 1)
    const rest = replay([kvMachine()])
    await rest.restore(await part.capture(), position(at))
    expect(rest.hash()).toBe(part.hash())
    rest.apply(log().slice(at), 1)
    expect(rest.hash()).toBe(whole.hash())
    expect(rest.hash() === part.hash()).toBe(at === 5)
  }
})

test('a gap is refused, and so is a body that does not parse', async () => {
  expect(() => replay([]).apply(log().slice(1), 1)).toThrow('position 2 was decided after 0')
  await expect(replay([]).restore(new Uint8Array(3), position(1))).rejects.toThrow(MalformedBytes)
})
