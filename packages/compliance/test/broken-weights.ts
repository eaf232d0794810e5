import type { Balancer, Random } from '@conclave/interface'
import type { Server } from './broken-balancers.ts'

export interface WeightedServer extends Server {
  readonly weight: number
}

/** Draws in proportion to the weights. */
export class Weighing implements Balancer<number, WeightedServer> {
  readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  pick(_request: number, candidates: readonly WeightedServer[]): WeightedServer | undefined {
    return this.draw(candidates, ({ weight }) => weight)
  }

  draw(candidates: readonly WeightedServer[], weightOf: (server: WeightedServer) => number) {
    let left = this.random.next() * candidates.reduce((sum, candidate) => sum + weightOf(candidate), 0)
    return candidates.find((candidate) => {
      left -= weightOf(candidate)
      return left < 0
    })
  }
}

/** Broken in one way each, and the test that has to see it. */
export const brokenWeights: Readonly<Record<string, { found: string; broken: new (random: Random) => Weighing }>> = {
  'gives the first a tenth more': {
    found: 'shares: each candidate',
    broken: class extends Weighing {
      override pick(_: number, candidates: readonly WeightedServer[]) {
        return this.draw(candidates, (server) => server.weight * (server === candidates[0] ? 1.1 : 1))
      }
    },
  },
  'gives the first some of what is due to the second': {
    found: 'shares: each candidate',
    broken: class extends Weighing {
      override pick(request: number, candidates: readonly WeightedServer[]) {
        const picked = super.pick(request, candidates)
        return picked === candidates[1] && this.random.next() < 0.2 ? candidates[0] : picked
      }
    },
  },
  'ignores weights, but 0': {
    found: 'weights: each candidate',
    broken: class extends Weighing {
      override pick(_: number, candidates: readonly WeightedServer[]) {
        return this.draw(candidates, ({ weight }) => Math.sign(weight))
      }
    },
  },
  'keeps the weights that it saw first': {
    found: 'weights: each candidate',
    broken: class extends Weighing {
      readonly #first = new Map<string, number>()
      override pick(_: number, candidates: readonly WeightedServer[]) {
        for (const { name, weight } of candidates) if (!this.#first.has(name)) this.#first.set(name, weight)
        return this.draw(candidates, ({ name }) => this.#first.get(name) ?? 0)
      }
    },
  },
  'takes a weight of 0 for a small one': {
    found: 'weights: a candidate with the weight 0',
    broken: class extends Weighing {
      override pick(_: number, candidates: readonly WeightedServer[]) {
        return this.draw(candidates, ({ weight }) => weight || 0.1)
      }
    },
  },
  'picks somebody when all have the weight 0': {
    found: 'weights: a candidate with the weight 0',
    broken: class extends Weighing {
      override pick(request: number, candidates: readonly WeightedServer[]) {
        return super.pick(request, candidates) ?? candidates[0]
      }
    },
  },
}
