import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  Campaign,
  type CampaignSummary,
  campaign,
  leastRunsForMarks,
  planOf,
  type RunResult,
  reportOf,
  run,
} from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { raftParts as parts, seeds } from './parts.ts'

/** `SIMULATOR_SEED=n` begins elsewhere, `SIMULATOR_RUNS=n` runs more or fewer. */
const first = Number(process.env.SIMULATOR_SEED ?? 1)
const count = Number(process.env.SIMULATOR_RUNS ?? 600)

describe('Raft under every fault', () => {
  test(`${count} seeds from ${first}: safe throughout, at one end after healing, every mark reached`, {
    timeout: 3_600_000,
  }, async () => {
    let failed = 0
    const summary = await campaign({
      seeds: seeds(first, count),
      parts,
      onRun: ({ violation }) => {
        if (violation !== undefined) failed++
      },
      shouldStop: () => failed > 3,
    })
    console.log(reportOf(summary))
    for (const { seed } of summary.failures) console.log(`again: npm run seeds -w @conclave/simulator -- ${seed}`)
    expect(summary.reasons).toEqual([])
  })
})

describe('a campaign', () => {
  const small = { seeds: [5, 6, 7], parts, options: { durationMillis: 600 } }
  const lines = async (given: typeof small): Promise<{ summary: CampaignSummary; digests: Map<number, string> }> => {
    const digests = new Map<number, string>()
    const onRun = ({ seed, digest }: RunResult): void => {
      digests.set(seed, digest)
    }
    return { summary: await campaign({ ...given, onRun }), digests }
  }

  test('gives the same digests again, in another order and beside another campaign', async () => {
    const [a, b] = await Promise.all([lines(small), lines({ ...small, seeds: [7, 6, 5] })])
    expect(b.digests).toEqual(new Map([...a.digests].reverse()))
    expect(b.summary.digest).toBe(a.summary.digest)
    expect(new Set(a.digests.values()).size).toBe(3)
    const other = await lines({ ...small, seeds: [5, 6, 8] })
    expect(other.summary.digest).not.toBe(a.summary.digest)
  })

  test('gives the same digest in another process', async () => {
    const { summary } = await lines(small)
    const script = fileURLToPath(new URL('./digest-child.ts', import.meta.url))
    const child = execFileSync(process.execPath, ['--conditions=@conclave/source', script], { encoding: 'utf8' })
    expect(child.trim()).toBe(summary.digest)
  })

  test('stops when it is told to', async () => {
    const summary = await campaign({ ...small, shouldStop: () => true })
    expect(summary.runs).toBe(1)
  })

  test('in which nobody does anything proves nothing, and fails', async () => {
    const summary = await campaign({ seeds: [], parts })
    expect(summary.verdict).toBe('failed')
    expect(summary.reasons).toEqual(['nothing was run'])
  })

  test('in which few operations were completed proves little, and one without a verdict on a history says so', async () => {
    const [result] = await Promise.all([run(planOf(5, small.options), parts)])
    const judged = (counts: Partial<RunResult['counts']>): CampaignSummary => {
      const sum = new Campaign(parts, small.options)
      sum.add({ ...result, counts: { ...result.counts, ...counts } })
      return sum.summary()
    }
    expect(judged({}).reasons).toEqual([])
    expect(judged({ invoked: 100, completed: 50 }).reasons).toEqual([])
    expect(judged({ invoked: 100, completed: 49 }).reasons.join()).toContain('only 49 of 100 operations were completed')
    expect(judged({ invoked: 0, completed: 0 }).reasons.join()).toContain('an idle world proves nothing')
    expect(judged({ unjudged: 1 }).reasons).toEqual(['1 of 1 histories have no verdict'])
    expect(reportOf(judged({ unjudged: 1 }))).toContain('1 histories without a verdict')
  })

  test('that misses a mark within reach fails, if it is long enough to be judged by it', async () => {
    // The plans have no faults at all, so their marks are out of reach; what only time and luck bring is missing.
    const calm = { faults: [] as const, nodes: 3, leases: false, durationMillis: 100, clients: 1, operationsEach: 1 }
    const summary = await campaign({ seeds: seeds(1, leastRunsForMarks), parts, options: calm })
    expect(summary.failures).toEqual([])
    expect(summary.missing).toContain('entry truncated while its write was pending')
    expect(summary.outOfReach.get('fault: crash')).toBe('no crash')
    expect(summary.outOfReach.get('lease read served')).toBe('no leases')
    expect(summary.verdict).toBe('failed')
    expect(summary.reasons.join()).toContain('never reached: ')
    expect(reportOf(summary)).toContain('  not reached: entry truncated while its write was pending')
    expect(reportOf(summary)).toContain('  out of reach (no crash): fault: crash')
    const short = await campaign({ seeds: seeds(1, 10), parts, options: calm })
    expect(short.verdict).toBe('passed')
    expect(short.missing).not.toEqual([])
  })

  test('whose engine lacks something counts its marks as out of reach, and says why', async () => {
    const engine = parts.previousEngine ?? parts.engine
    const summary = await campaign({ ...small, parts: { engine, insight: parts.insight ?? fail() } })
    expect(summary.outOfReach.get('leader removed')).toBe('membership')
    expect(summary.outOfReach.get('lease read served')).toBe('leases')
    expect(summary.outOfReach.get('quorum of mixed versions')).toBe('previous-engine')
    expect(reportOf(summary)).toMatch(/ marks reached, \d+ out of reach \(they count from 500 runs on\)/)
  })
})

const fail = (): never => {
  throw new Error('Raft has an insight')
}
