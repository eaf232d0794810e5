import { parseArgs } from 'node:util'
import { engineNames } from '@conclave/node'
import { faultKinds } from './nemesis.ts'
import type { Mode } from './network.ts'

export const usage = `Real nodes, real disks and real clients under a nemesis; the history is checked at the end.

  npm run test:soak -- [--engine ${engineNames.join('|')}] [--minutes 10] [--seed N] [--nodes 3|5] [--json FILE]

  --engine NAME     what the nodes run on: ${engineNames.join(', ')} (default raft)
  --minutes M       how long the nemesis goes on (default 10; 0.5 is a smoke test)
  --seed N          chooses faults, victims and durations (default: by chance; printed)
  --nodes 3|5       default 5
  --mode MODE       netns: a network namespace a node, partitions by nftables (root on Linux); loopback: none of that.
                    Default: netns if it is possible
  --disks KIND      loop: a small ext4 of its own a node, which can be filled; plain: directories. Default: loop if possible
  --faults LIST     only these, by comma: ${faultKinds.join(' ')}
  --workers N       clients' workers in all (default 12, in two processes)
  --lockers N       workers that hold locks, in all (default 6; 0: none)
  --leases          the nodes read under leases, and half of the reads ask for that
  --bound SECONDS   a healed cluster must acknowledge a write within this (default 20)
  --dir DIRECTORY   where the nodes keep their data, on a real disk (default: node_modules/.cache/soak)
  --json FILE       writes the report
  --keep            keeps data and logs after a good run as well
  --verbose         tells every fault
  --cleanup         removes what killed runs left behind, and ends
`

export interface Options {
  readonly engine: string
  readonly minutes: number
  readonly seed: number
  readonly nodes: number
  readonly mode: Mode | undefined
  readonly disks: 'loop' | 'plain' | undefined
  readonly faults: readonly string[] | undefined
  readonly workers: number
  readonly lockers: number
  readonly leases: boolean
  readonly boundMillis: number
  readonly directory: string | undefined
  readonly json: string | undefined
  readonly keep: boolean
  readonly verbose: boolean
  readonly cleanup: boolean
  readonly help: boolean
}

/** What was asked for cannot be; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const numberOf = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`--${name} takes a number from ${least} to ${most}, not ${JSON.stringify(text)}`)
  return value
}
const wholeOf = (name: string, text: string, least: number, most: number): number => {
  const value = numberOf(name, text, least, most)
  if (!Number.isInteger(value)) throw new UsageError(`--${name} takes a whole number, not ${text}`)
  return value
}
const oneOf = <T extends string>(name: string, text: string | undefined, allowed: readonly T[]): T | undefined => {
  if (text === undefined) return undefined
  const found = allowed.find((value) => value === text)
  if (found === undefined) throw new UsageError(`--${name} is one of ${allowed.join(', ')}, not ${text}`)
  return found
}

const faultsOf = (text: string | undefined): readonly string[] | undefined => {
  if (text === undefined || text === 'all') return undefined
  const kinds = text.split(',')
  const wrong = kinds.find((kind) => !faultKinds.includes(kind))
  if (wrong !== undefined) throw new UsageError(`there is no fault "${wrong}"; there are ${faultKinds.join(', ')}`)
  return kinds
}

/** @throws UsageError */
export const optionsOf = (args: readonly string[]): Options => {
  const { values } = parse(args)
  return {
    engine: oneOf('engine', values.engine, engineNames) ?? 'raft',
    minutes: numberOf('minutes', values.minutes, 0.05, 24 * 60),
    seed: wholeOf('seed', values.seed ?? String(Math.floor(Math.random() * 1e9)), 0, 0xffff_ffff),
    nodes: Number(oneOf('nodes', values.nodes, ['3', '5'])),
    mode: oneOf('mode', values.mode, ['netns', 'loopback']),
    disks: oneOf('disks', values.disks, ['loop', 'plain']),
    faults: faultsOf(values.faults),
    workers: wholeOf('workers', values.workers, 1, 256),
    lockers: wholeOf('lockers', values.lockers, 0, 256),
    leases: values.leases,
    boundMillis: numberOf('bound', values.bound, 1, 600) * 1000,
    directory: values.dir,
    json: values.json,
    keep: values.keep,
    verbose: values.verbose,
    cleanup: values.cleanup,
    help: values.help,
  }
}

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        engine: { type: 'string' },
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string' },
        nodes: { type: 'string', default: '5' },
        mode: { type: 'string' },
        disks: { type: 'string' },
        faults: { type: 'string' },
        workers: { type: 'string', default: '12' },
        lockers: { type: 'string', default: '6' },
        leases: { type: 'boolean', default: false },
        bound: { type: 'string', default: '20' },
        dir: { type: 'string' },
        json: { type: 'string' },
        keep: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        cleanup: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
