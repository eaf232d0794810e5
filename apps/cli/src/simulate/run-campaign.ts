/** A campaign of seeds: as many threads as wanted, a bar meanwhile, and the same digest however many there were. */
import { Campaign, type CampaignSummary, type Parts } from '@conclave/simulator'
import { runAll } from '../threads.ts'
import { campaignLine, ProgressBar } from './progress.ts'
import type { SimulateRequest } from './request.ts'
import { inlineRunner, workerRunner } from './runner.ts'

export interface CampaignRun {
  readonly summary: CampaignSummary
  /** The last seed that was run; those from the first to it were. */
  readonly last: number
  readonly realMillis: number
}

export interface CampaignControl {
  readonly parts: Parts
  readonly jobs: number
  readonly stream: NodeJS.WriteStream
  readonly now: () => number
  /** Asked before every run: then no more is begun. */
  readonly shouldStop: () => boolean
}

export const runCampaign = async (
  request: SimulateRequest,
  { parts, jobs, stream, now, shouldStop }: CampaignControl,
): Promise<CampaignRun> => {
  const { first, runs, millis = Number.POSITIVE_INFINITY, options, engine } = request
  const campaign = new Campaign(parts, options)
  const progress = { runs: 0, operations: 0, failures: 0 }
  const started = now()
  const elapsed = (): number => now() - started
  let seed = first
  const next = (): number | undefined =>
    seed - first >= runs || elapsed() >= millis || shouldStop() ? undefined : seed++
  const bar = new ProgressBar(stream, () =>
    campaignLine(progress, Math.max(progress.runs / runs, elapsed() / millis), (progress.runs * 1000) / elapsed()),
  )
  const runners = Array.from({ length: jobs }, () =>
    jobs === 1 ? inlineRunner(parts, options) : workerRunner({ engine, options }),
  )
  try {
    await runAll(runners, next, (result) => {
      campaign.add(result)
      progress.runs++
      progress.operations += result.counts.completed
      if (result.violation !== undefined) progress.failures++
    })
  } finally {
    bar.end()
  }
  return { summary: campaign.summary(), last: seed - 1, realMillis: elapsed() }
}
