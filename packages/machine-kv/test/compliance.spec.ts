import { machineCompliance } from '@conclave/compliance/machine'
import type { Random } from '@conclave/interface'
import { describe, test } from 'vitest'
import { encodeBound, encodeDelete, encodeKey, encodePut, encodeQuery, encodeWatch, kvMachine } from '../src/index.ts'

const key = ({ next }: Random) => encodeKey(`key ${Math.floor(next() * 20)}`)
const all = { from: encodeBound(''), to: encodeBound('') }

machineCompliance({
  name: 'kv',
  machine: kvMachine,
  command: (random) =>
    random.next() < 0.2
      ? encodeDelete(key(random))
      : encodePut(key(random), new Uint8Array(random.next() * 300).fill(random.next() * 256)),
  query: (random) => encodeQuery(random.next() < 0.5 ? { type: 'get', key: key(random) } : { type: 'count', ...all }),
  watch: encodeWatch({ ...all, fromRevision: 1n, keysOnly: false }),
  malformed: [new Uint8Array(), Uint8Array.of(1), Uint8Array.of(9, 9), Uint8Array.of(1, 0, 200, 0, 65)],
}).register({ describe, test })
