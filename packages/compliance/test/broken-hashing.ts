import { createHash } from 'node:crypto'
import type { Balancer, Random } from '@conclave/interface'
import type { Server } from './broken-balancers.ts'

type Servers = readonly Server[]

export const hashOf = (text: string): number => createHash('md5').update(text).digest().readUInt32LE()

/** Rendezvous hashing, as short as it gets. */
export class Hashing implements Balancer<string, Server> {
  readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  pick(key: string, candidates: Servers): Server | undefined {
    return this.best(candidates, ({ name }) => hashOf(`${key} ${name}`))
  }

  best(candidates: Servers, scoreOf: (server: Server) => number): Server | undefined {
    return candidates.toSorted((a, b) => scoreOf(b) - scoreOf(a))[0]
  }
}

/** Broken in one way each, and the test that has to see it. */
export const brokenHashing: Readonly<Record<string, { found: string; broken: new (random: Random) => Hashing }>> = {
  'draws once in a while': {
    found: 'keys: the same key',
    broken: class extends Hashing {
      override pick(key: string, candidates: Servers) {
        if (this.random.next() < 0.01) return candidates[Math.floor(this.random.next() * candidates.length)]
        return super.pick(key, candidates)
      }
    },
  },
  'has a salt of its own': {
    found: 'keys: neither the order',
    broken: class extends Hashing {
      #salt: number | undefined
      override pick(key: string, candidates: Servers) {
        this.#salt ??= this.random.next()
        return super.pick(`${key} ${this.#salt}`, candidates)
      }
    },
  },
  'hashes the position in the list': {
    found: 'keys: neither the order',
    broken: class extends Hashing {
      override pick(key: string, candidates: Servers) {
        return this.best(candidates, (server) => hashOf(`${key} ${candidates.indexOf(server)}`))
      }
    },
  },
  'takes the hash modulo the number of candidates': {
    found: 'keys: when a candidate leaves',
    broken: class extends Hashing {
      override pick(key: string, candidates: Servers) {
        return candidates.toSorted((a, b) => (a.name < b.name ? -1 : 1))[hashOf(key) % candidates.length]
      }
    },
  },
  'hashes the number of candidates along for one key in fifty': {
    found: 'keys: when a candidate comes',
    broken: class extends Hashing {
      override pick(key: string, candidates: Servers) {
        return super.pick(hashOf(key) % 50 === 0 ? `${key} of ${candidates.length}` : key, candidates)
      }
    },
  },
  'remembers where a key was when there was another candidate': {
    found: 'keys: when a candidate comes',
    broken: class extends Hashing {
      readonly #sticky = new Map<string, Server>()
      override pick(key: string, candidates: Servers) {
        const before = this.#sticky.get(key)
        const picked = before !== undefined && candidates.includes(before) ? before : super.pick(key, candidates)
        if (picked !== undefined) this.#sticky.set(key, picked)
        return picked
      }
    },
  },
}
