import type { Random } from '@conclave/interface'
import { Drawing, type Server } from './broken-balancers.ts'

type Servers = readonly Server[]

/** Draws among those that nobody called unfit. */
export class Judging extends Drawing {
  readonly unfit = new Set<string>()

  override pick(request: number, candidates: Servers): Server | undefined {
    return super.pick(
      request,
      candidates.filter(({ name }) => !this.unfit.has(name)),
    )
  }

  eject({ name }: Server): void {
    this.unfit.add(name)
  }

  readmit({ name }: Server): void {
    this.unfit.delete(name)
  }
}

/** Broken in one way each, and the test that has to see it. */
export const brokenHealth: Readonly<Record<string, { found: string; broken: new (random: Random) => Judging }>> = {
  'forgets after a while': {
    found: 'health: one that is not fit',
    broken: class extends Judging {
      #picks = 0
      override pick(request: number, candidates: Servers) {
        if (++this.#picks % 1500 === 0) this.unfit.clear()
        return super.pick(request, candidates)
      }
    },
  },
  'leaves out who stands beside it as well': {
    found: 'health: one that is not fit',
    broken: class extends Judging {
      override pick(request: number, candidates: Servers) {
        return super.pick(
          request,
          candidates.filter((_, at) => !this.unfit.has(candidates[at - 1]?.name ?? '')),
        )
      }
    },
  },
  'takes a late answer for a sign of life': {
    found: 'health: late results',
    broken: class extends Judging {
      override settled(candidate: Server) {
        this.readmit(candidate)
      }
    },
  },
  'never forgives': {
    found: 'health: one that is fit again',
    broken: class extends Judging {
      override readmit() {}
    },
  },
}
