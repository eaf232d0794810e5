import { ByteWriter, copyBytes, MalformedBytes } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  chubbyMachine,
  decodeAnswer,
  decodeCall,
  decodeCallReply,
  decodeCommand,
  decodeQuery,
  decodeReply,
  decodeSequencer,
  encodeAnswer,
  encodeCall,
  encodeCallReply,
  encodeCommand,
  encodeQuery,
  encodeReply,
  encodeSequencer,
  isComponent,
  isPath,
  limits,
  parseSequencer,
  sequencerText,
} from '../src/index.ts'
import { Cell } from './cell.ts'
import { answers, callReplies, calls, commands, queries, replies, sequencer } from './samples.ts'

interface Format {
  readonly encoded: readonly Uint8Array[]
  readonly samples: readonly unknown[]
  readonly decode: (bytes: Uint8Array) => unknown
}

const formats: Readonly<Record<string, Format>> = {
  commands: { samples: commands, encoded: commands.map(encodeCommand), decode: decodeCommand },
  replies: { samples: replies, encoded: replies.map(encodeReply), decode: decodeReply },
  queries: { samples: queries, encoded: queries.map(encodeQuery), decode: decodeQuery },
  answers: { samples: answers, encoded: answers.map(encodeAnswer), decode: decodeAnswer },
  calls: { samples: calls, encoded: calls.map(encodeCall), decode: decodeCall },
  'replies to calls': { samples: callReplies, encoded: callReplies.map(encodeCallReply), decode: decodeCallReply },
  sequencers: { samples: [sequencer], encoded: [encodeSequencer(sequencer)], decode: decodeSequencer },
}

/** What comes of it: a value, or the only error that bytes may be answered with. */
const outcomeOf = (decode: Format['decode'], bytes: Uint8Array): 'decoded' | 'malformed' => {
  try {
    decode(bytes)
    return 'decoded'
  } catch (error) {
    if (error instanceof MalformedBytes) return 'malformed'
    throw error
  }
}

describe.each(Object.entries(formats))('%s', (_, { samples, encoded, decode }) => {
  test('are read as they were written', () => {
    expect(encoded.map((bytes) => decode(bytes))).toEqual(samples)
  })

  test('are malformed if they end too early, or too late', () => {
    for (const bytes of encoded) {
      for (let length = 0; length < bytes.length; length++)
        expect(outcomeOf(decode, bytes.subarray(0, length))).toBe('malformed')
      expect(outcomeOf(decode, Uint8Array.of(...bytes, 0))).toBe('malformed')
    }
  })

  test('with a byte that is another one, or of no sense at all, are read or malformed, and nothing else', () => {
    for (const bytes of encoded)
      for (let at = 0; at < bytes.length; at++)
        for (const value of [0, 1, 2, 7, 200, 255]) {
          const changed = copyBytes(bytes)
          changed[at] = value
          outcomeOf(decode, changed)
        }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void outcomeOf(decode, bytes)))
    expect(outcomeOf(decode, Uint8Array.of(99))).toBe('malformed')
  })
})

test('a machine answers what is malformed, whatever it is, and is as before', () => {
  const cell = new Cell()
  cell.sessions(1n)
  const before = cell.machine.hash()
  const { context } = cell
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      // No command begins with these.
      const command = Uint8Array.of(200, ...bytes)
      expect(decodeReply(cell.machine.apply(command, context))).toMatchObject({ problem: 'malformed' })
      expect(decodeAnswer(cell.machine.query(command))).toMatchObject({ problem: 'malformed' })
    }),
  )
  expect(cell.machine.hash()).toBe(before)
})

describe('a command is malformed', () => {
  const open = (path: string, more: object = {}) =>
    encodeCommand({ ...(commands[2] as Extract<(typeof commands)[number], { type: 'open' }>), path, ...more })

  test.each(['', '/', 'ls', '/ls/', '/lsx', '/ls//a', '/ls/a/', '/ls/.', '/ls/a/../b', '/ls/a\n', '/other/a'])(
    'whose path is %j',
    (path) => {
      expect(isPath(path)).toBe(false)
      expect(() => decodeCommand(open(path))).toThrow(MalformedBytes)
    },
  )

  test('whose path or a name in it is too long in bytes', () => {
    const [name, tooLong] = ['é'.repeat(127), 'é'.repeat(128)]
    expect([isComponent(name), isComponent(tooLong)]).toEqual([true, false])
    const path = `/ls/${Array(4).fill(name).join('/')}`
    expect([isPath(`${path}x`), isPath(`${path}xx`), isPath(`${path}/x`)]).toEqual([true, false, false])
  })

  test('whose text is no Unicode', () => {
    expect(isComponent('\ud800')).toBe(false)
    const bytes = new ByteWriter().u8(1).u64(1n).bytes(Uint8Array.of(0xff)).u32(1000).take()
    expect(() => decodeCommand(bytes)).toThrow(MalformedBytes)
  })

  test('that brings more than a file may hold', () => {
    expect(() => decodeCommand(open('/ls/c/f', { contents: new Uint8Array(limits.contentBytes + 1) }))).toThrow(
      MalformedBytes,
    )
    expect(decodeCommand(open('/ls/c/f', { contents: new Uint8Array(limits.contentBytes) }))).toBeDefined()
  })

  test.each(['a/b', '..', 'x'.repeat(65)])('that names an access control list %j', (read) => {
    const acl = { read, write: '', changeAcl: '' }
    expect(() => decodeCommand(encodeCommand({ type: 'setAcl', session: 1n, handle: 1, acl }))).toThrow(MalformedBytes)
  })
})

test('a query for a page of none is malformed, and one for too much gets what there may be', () => {
  const sessions = (limit: number) => decodeQuery(encodeQuery({ type: 'sessions', after: 0n, limit }))
  expect(() => sessions(0)).toThrow(MalformedBytes)
  expect(sessions(100_000)).toMatchObject({ limit: limits.page })
})

test('a lock that was asked for is never answered with none', () => {
  expect(() => decodeReply(Uint8Array.of(3, 0))).toThrow(MalformedBytes)
})

test('a KeepAlive was not held for less than no time', () => {
  const reply = encodeCallReply({ type: 'alive', epoch: 0n as never, lease: 0, heldFor: -1, notices: [] })
  expect(() => decodeCallReply(reply)).toThrow(MalformedBytes)
})

describe('a sequencer as text', () => {
  test('is read as it was written, whatever its length', () => {
    for (const name of ['a', 'ab', 'abc', 'é']) {
      const one = { ...sequencer, path: `/ls/c/${name}` }
      const text = sequencerText(one)
      expect(text).toBe(Buffer.from(encodeSequencer(one)).toString('base64url'))
      expect(parseSequencer(text)).toEqual(one)
    }
  })

  test('has one spelling', () => {
    const text = sequencerText(sequencer)
    for (const other of [`${text}=`, `${text}A`, `${text}AA`, ` ${text}`, text.slice(1), text.slice(0, -1), ''])
      expect(() => parseSequencer(other), other).toThrow(MalformedBytes)
  })

  test('of another version, or of no path, is none', () => {
    const bytes = encodeSequencer(sequencer)
    expect(() => decodeSequencer(Uint8Array.of(2, ...bytes.subarray(1)))).toThrow(MalformedBytes)
    expect(() => decodeSequencer(encodeSequencer({ ...sequencer, path: 'x' }))).toThrow(MalformedBytes)
  })
})

test('the machine is called chubby', () => {
  expect(chubbyMachine().name).toBe('chubby')
})
