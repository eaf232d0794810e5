import type { Balancer, Random } from '@conclave/interface'

export interface Server {
  readonly name: string
}

type Servers = readonly Server[]
type Result = Parameters<NonNullable<Balancer<number, Server>['settled']>>[1]

/** Draws one of the candidates, and counts what is told: the simplest balancer that keeps every promise. */
export class Drawing implements Balancer<number, Server> {
  readonly random: Random
  readonly ended = new Map<Server, number>()

  constructor(random: Random) {
    this.random = random
  }

  pick(_request: number, candidates: Servers): Server | undefined {
    return candidates[Math.floor(this.random.next() * candidates.length)]
  }

  settled(candidate: Server, _result: Result): void {
    this.ended.set(candidate, (this.ended.get(candidate) ?? 0) + 1)
  }
}

let picksSoFar = 0

/** A balancer that is broken in one way, and the test that has to see it. */
export const brokenBalancers: Readonly<Record<string, { found: string; broken: new (random: Random) => Drawing }>> = {
  'makes a candidate up': {
    found: 'pick: one of the candidates',
    broken: class extends Drawing {
      override pick(request: number, candidates: Servers) {
        const picked = super.pick(request, candidates)
        return picked && { ...picked }
      }
    },
  },
  'picks nothing of one': {
    found: 'pick: one of the candidates',
    broken: class extends Drawing {
      override pick(request: number, candidates: Servers) {
        return candidates.length > 1 ? super.pick(request, candidates) : undefined
      }
    },
  },
  'throws at an empty list': {
    found: 'pick: undefined of an empty list',
    broken: class extends Drawing {
      override pick(request: number, candidates: Servers) {
        if (candidates.length === 0) throw new RangeError('no candidates')
        return super.pick(request, candidates)
      }
    },
  },
  'falls back on the last pick when there is nobody': {
    found: 'pick: undefined of an empty list',
    broken: class extends Drawing {
      #last: Server | undefined
      override pick(request: number, candidates: Servers) {
        this.#last = super.pick(request, candidates) ?? this.#last
        return this.#last
      }
    },
  },
  'sorts the list in place': {
    found: 'pick: candidates is read',
    broken: class extends Drawing {
      override pick(request: number, candidates: Servers) {
        const list = candidates as Server[]
        return super.pick(
          request,
          list.sort((a, b) => a.name.localeCompare(b.name)),
        )
      }
    },
  },
  'keeps the list while its length is the same': {
    found: 'pick: candidates is not kept',
    broken: class extends Drawing {
      #kept: Servers = []
      override pick(request: number, candidates: Servers) {
        if (candidates.length !== this.#kept.length) this.#kept = candidates
        return super.pick(request, this.#kept)
      }
    },
  },
  'copies the list and refreshes it now and then': {
    found: 'pick: follows candidates',
    broken: class extends Drawing {
      #copy: Servers = []
      #picks = 0
      override pick(request: number, candidates: Servers) {
        if (this.#picks++ % 10 === 0) this.#copy = [...candidates]
        return super.pick(request, this.#copy)
      }
    },
  },
  'sticks to one': {
    found: 'pick: over many requests',
    broken: class extends Drawing {
      #one: Server | undefined
      override pick(request: number, candidates: Servers) {
        if (this.#one === undefined || !candidates.includes(this.#one)) this.#one = super.pick(request, candidates)
        return this.#one
      }
    },
  },
  'never picks the last': {
    found: 'pick: over many requests',
    broken: class extends Drawing {
      override pick(request: number, candidates: Servers) {
        return super.pick(request, candidates.length > 1 ? candidates.slice(0, -1) : candidates)
      }
    },
  },
  'ignores late comers': {
    found: 'pick: over many requests',
    broken: class extends Drawing {
      #first: Servers = []
      override pick(request: number, candidates: Servers) {
        const known = candidates.filter((candidate) => this.#first.includes(candidate))
        if (known.length === 0) this.#first = [...candidates]
        return super.pick(request, known.length === 0 ? candidates : known)
      }
    },
  },
  'counts together with other balancers': {
    found: 'a function of its seed',
    broken: class extends Drawing {
      override pick(_request: number, candidates: Servers) {
        return candidates[picksSoFar++ % candidates.length]
      }
    },
  },
  'draws from a source of its own': {
    found: 'no clock',
    broken: class extends Drawing {
      override pick(_request: number, candidates: Servers) {
        return candidates[Math.floor(Math.random() * candidates.length)]
      }
    },
  },
  'looks at the clock': {
    found: 'no clock',
    broken: class extends Drawing {
      override pick(_request: number, candidates: Servers) {
        return candidates[Date.now() % candidates.length]
      }
    },
  },
  'throws at results of strangers': {
    found: 'settled: of a candidate that is gone',
    broken: class extends Drawing {
      readonly #picked = new Set<Server>()
      override pick(request: number, candidates: Servers) {
        const picked = super.pick(request, candidates)
        if (picked !== undefined) this.#picked.add(picked)
        return picked
      }
      override settled(candidate: Server) {
        if (!this.#picked.has(candidate)) throw new Error(`${candidate.name} was never picked`)
      }
    },
  },
  'picks the fastest of whom it was told': {
    found: 'settled: of a candidate that is gone',
    broken: class extends Drawing {
      #fastest: Server | undefined
      override pick(request: number, candidates: Servers) {
        return this.#fastest ?? super.pick(request, candidates)
      }
      override settled(candidate: Server, { latency }: Result) {
        if (latency < 5) this.#fastest = candidate
      }
    },
  },
  'divides by the latency': {
    found: 'settled: a latency may be anything',
    broken: class extends Drawing {
      readonly #weights = new Map<Server, number>()
      override pick(_request: number, candidates: Servers) {
        const weights = candidates.map((candidate) => this.#weights.get(candidate) ?? 1)
        let left = this.random.next() * weights.reduce((sum, weight) => sum + weight, 0)
        return candidates.find((_, at) => {
          left -= weights[at] ?? 0
          return left < 0
        })
      }
      override settled(candidate: Server, { latency }: Result) {
        this.#weights.set(candidate, 1 / latency)
      }
    },
  },
  'takes every error for an Error': {
    found: 'settled: errors of any kind',
    broken: class extends Drawing {
      override settled(_candidate: Server, { error }: Result) {
        if (error !== undefined) (error as Error).message.includes('reset')
      }
    },
  },
}
