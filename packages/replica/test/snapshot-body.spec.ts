import { epoch, type LogTime, position, type StateMachine } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { SessionTable } from '../src/sessions.ts'
import { holdState, restoreBody, writeBody } from '../src/snapshot-body.ts'
import { block, ListMachine, openBlock } from './world.ts'

const point = { position: position(5), epoch: epoch(3n), time: 1.5 as LogTime }

const bodyOf = async (): Promise<Buffer> => {
  const machine = new ListMachine()
  const table = new SessionTable([machine])
  for (const bytes of [openBlock(7n), block(7n, 1, 'x')]) table.applyBlock(bytes, point, undefined)
  const chunks: Uint8Array[] = []
  for await (const chunk of writeBody(holdState(point, table, [machine]))) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('the body of a snapshot', () => {
  test('has these bytes', async () => {
    expect((await bodyOf()).toString('hex')).toBe(
      [
        '434e4353', // magic
        '01', // version
        '0500000000000000', // position
        '0300000000000000', // epoch
        '000000000000f83f', // log time 1.5
        '0100', // machines
        '08', // "sessions"
        '73657373696f6e73',
        '2d000000', // a chunk of 45 bytes
        '01000000', // sessions
        '0700000000000000', // id
        '000000000000f83f', // last used
        '0000000000000000', // acked below
        '01000000', // replies
        '0100000000000000', // serial
        '0100000001', // reply
        '00000000', // end of the section
        '04', // "list"
        '6c697374',
        '0100000078', // a chunk
        '00000000',
      ].join(''),
    )
  })

  for (const size of [1, 7, 1_000]) {
    test(`is read from pieces of ${size} bytes`, async () => {
      const machine = new ListMachine()
      const table = new SessionTable([machine])
      expect(await restoreBody(inPieces(await bodyOf(), size), table, [machine])).toEqual(point)
      expect(machine.items).toEqual(['x'])
      expect(table.size).toBe(1)
    })
  }

  test('a machine that leaves its section early does not confuse the next', async () => {
    const lazy: StateMachine = {
      ...new ListMachine(),
      name: 'list',
      apply: () => new Uint8Array(0),
      query: () => new Uint8Array(0),
      capture: () => new ListMachine().capture(),
      restore: async (body) => {
        for await (const _chunk of body) break
      },
      hash: () => '',
    }
    expect(await restoreBody(inPieces(await bodyOf(), 9), new SessionTable([lazy]), [lazy])).toEqual(point)
  })

  test('is refused if it is cut, if bytes follow, if it is of other machines or another version', async () => {
    const body = await bodyOf()
    const machine = new ListMachine()
    const other: StateMachine = Object.assign(new ListMachine(), { name: 'other' })
    const restore = (bytes: Uint8Array, machines: readonly StateMachine[] = [machine]): Promise<unknown> =>
      restoreBody(inPieces(bytes, 16), new SessionTable(machines), machines)
    await expect(restore(body.subarray(0, -1))).rejects.toThrow('early')
    await expect(restore(Buffer.concat([body, Buffer.of(1)]))).rejects.toThrow('follow')
    await expect(restore(body, [machine, other])).rejects.toThrow('2')
    await expect(restore(body, [other])).rejects.toThrow('"list"')
    const later = Buffer.from(body)
    later[4] = 2
    await expect(restore(later)).rejects.toThrow('version 2')
    await expect(restore(new Uint8Array(40))).rejects.toThrow('no snapshot')
  })
})
