/** What the run of a seed is like: everything is decided here, and in the scenario. */
import type { Random } from '@conclave/interface'
import { leastMessageBytes, mostMessageBytes } from './limits.ts'
import type { Fault, FaultType, NodeNumber, NodeTraits, Plan, Workload } from './plan.ts'
import { plot, Scenario, weatherOf } from './scenario.ts'
import { between, chance, integer, pick, streamsOf } from './streams.ts'

export interface PlanOptions {
  /** Founders: 1 to 9. Default: 3 to 5, by the seed. */
  readonly nodes?: number
  /** Kinds of faults; others are left out of the plan. Default: all. */
  readonly faults?: 'all' | readonly FaultType[]
  /** Default: in one seed out of three. */
  readonly leases?: boolean
  /** Length of the time in which things go wrong. Default 2,000; for locks 3,000. */
  readonly durationMillis?: number
  readonly clients?: number
  /** Default `kv`. */
  readonly workload?: Workload
  /** Operations of each client. Default: by the duration, 25 for 2,000 ms. */
  readonly operationsEach?: number
}

export const defaultDurationMillis = 2_000
/** Long enough for leases to run out. */
const locksDurationMillis = 3_000
const patienceMillis = 8_000
const mostSpares = 3

const traitsOf = (random: Random, leases: boolean, mixed: boolean, workload: Workload): NodeTraits => {
  // With leases: within the tenth by which clocks may differ. Without: nothing rests on the rates.
  const [clockRate, slow] = [leases ? between(random, 0.96, 1.04) : between(random, 0.8, 1.25), chance(random, 0.2)]
  return {
    // Sessions of the lock service rest on clocks that differ by less than a twentieth.
    clockRate: workload === 'locks' ? 1 + (clockRate - 1) / (leases ? 2 : 12) : clockRate,
    upgradeAtLife: mixed ? integer(random, 1, 4) : 1,
    drainMillis: chance(random, 0.4) ? random.next() * 3 : 0,
    persistedMillis: chance(random, 0.4) ? random.next() * 5 : 0,
    diskMillis: slow ? between(random, 1, 6) : between(random, 0.2, 0.8),
  }
}

const brokenAtEnd = (random: Random, nodes: number): Plan['broken'] => {
  const minority = Math.floor((nodes - 1) / 2)
  const broken = { nodes: [] as NodeNumber[], links: [] as { from: NodeNumber; to: NodeNumber }[] }
  if (minority === 0 || chance(random, 0.35)) return broken
  const victims = Array.from({ length: nodes }, (_, at) => at + 1)
    .map((node) => ({ node, luck: random.next() }))
    .sort((a, b) => a.luck - b.luck)
    .map(({ node }) => node)
  for (const victim of victims.slice(0, integer(random, 1, minority))) {
    const dice = random.next()
    const others = victims.filter((node) => node !== victim)
    if (dice < 0.5) broken.nodes.push(victim)
    else if (dice < 0.75) broken.links.push(...others.map((to) => ({ from: victim, to })))
    else broken.links.push(...others.map((from) => ({ from, to: victim })))
  }
  const [a, b] = victims
  if (broken.nodes.length === 0 && minority >= 2 && a !== undefined && b !== undefined && chance(random, 0.3))
    return { nodes: [], links: [{ from: a, to: b }] }
  return broken
}

/** Leases end, and lines form, more slowly than a storm changes everything: half of the seeds of locks keep only some of their faults. */
const calmed = (faults: readonly Fault[], random: Random): readonly Fault[] => {
  const kept = chance(random, 0.5) ? 1 : between(random, 0.05, 0.4)
  return faults.filter(() => chance(random, kept))
}

const checkOptions = ({ nodes, clients, operationsEach, durationMillis }: PlanOptions): void => {
  const check = (what: string, value: number | undefined, least: number, most: number): void => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least && value <= most))
      throw new RangeError(`${what} is an integer from ${least} to ${most}, got ${value}`)
  }
  check('nodes', nodes, 1, 9)
  check('clients', clients, 1, 64)
  check('operationsEach', operationsEach, 1, 1_000_000)
  check('durationMillis', durationMillis, 100, 24 * 3_600_000)
}

/**
 * The plan of a seed: a pure function of its arguments.
 * @throws RangeError if the seed is no safe integer of at least 0, or an option is out of its range.
 */
export const planOf = (seed: number, options: PlanOptions = {}): Plan => {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new RangeError(`a seed is a safe integer of at least 0, got ${seed}`)
  checkOptions(options)
  const { workload = 'kv', faults: kinds = 'all' } = options
  const chaosMillis = options.durationMillis ?? (workload === 'locks' ? locksDurationMillis : defaultDurationMillis)
  const streams = streamsOf(seed)
  const random = streams('plan')
  const founders = pick(random, [3, 3, 3, 5, 5, 4]) ?? 3
  const nodes = options.nodes ?? founders
  const leased = chance(random, 0.33)
  const leases = options.leases ?? leased
  const mixed = chance(random, 0.4)
  const clients = options.clients ?? pick(streams('clients'), [2, 3, 3, 8]) ?? 3
  const wanted = (type: FaultType): boolean => kinds === 'all' || kinds.includes(type)
  const spares = wanted('add') || wanted('disk-lost') || wanted('disk-corruption') ? mostSpares : 0
  const scenario = new Scenario(streams('faults'), nodes, spares, wanted)
  plot(scenario, streams('pace'), chaosMillis)
  const kept = workload === 'locks' ? calmed(scenario.faults, streams('calm')) : scenario.faults
  const traits = Array.from({ length: nodes + spares }, (_, at) =>
    traitsOf(streams('traits', at + 1), leases, mixed && at < nodes, workload),
  )
  return {
    version: 1,
    seed,
    nodes,
    clients,
    operationsEach: options.operationsEach ?? Math.max(1, Math.round((chaosMillis * 3) / 80 / clients)),
    leases,
    ...(workload !== 'kv' && { workload }),
    messageBytes: chance(streams('messages'), 0.3) ? mostMessageBytes : leastMessageBytes,
    weather: weatherOf(streams('weather')),
    traits,
    faults: kept.filter(({ at }) => at < chaosMillis).sort((a, b) => a.at - b.at || a.id - b.id),
    chaosMillis,
    broken: brokenAtEnd(streams('broken'), nodes),
    patienceMillis,
  }
}
