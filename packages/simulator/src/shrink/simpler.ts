/** Plans that are a step simpler than a plan: what shrinking tries, the boldest step first. */
import { mostMessageBytes } from '../limits.ts'
import type { Fault, NodeTraits, Plan, Weather } from '../plan.ts'
import { withoutNode } from './without-node.ts'

/** Shorter than this, in milliseconds, a time is not worth a run. */
const leastMillis = 10

const calm: Weather = { drop: 0, duplicate: 0, reorder: 0, delay: { least: 1, most: 1 } }

/** Numbers between `least` and `value`, the least first, then in halving steps towards `value`. */
export const downTo = (least: number, value: number): number[] => {
  const steps: number[] = []
  let next = least
  while (next < value) {
    steps.push(next)
    const half = Math.ceil((next + value) / 2)
    if (half === next) break
    next = half
  }
  return steps.filter((step) => step < value)
}

const shorter = (value: number): number[] => downTo(leastMillis, Math.floor(value)).slice(0, 4)

export const fewerClients = (plan: Plan): Plan[] => downTo(1, plan.clients).map((clients) => ({ ...plan, clients }))

export const fewerOperations = (plan: Plan): Plan[] =>
  downTo(1, plan.operationsEach).map((operationsEach) => ({ ...plan, operationsEach }))

/** Spares first, since they change no quorum. */
export const fewerNodes = (plan: Plan): Plan[] => {
  const numbers = plan.traits.map((_, at) => plan.traits.length - at)
  return numbers.flatMap((node) => withoutNode(plan, node) ?? [])
}

export const lessBroken = (plan: Plan): Plan[] => {
  const { nodes, links } = plan.broken
  return [
    ...(nodes.length + links.length > 0 ? [{ ...plan, broken: { nodes: [], links: [] } }] : []),
    ...nodes.map((node) => ({ ...plan, broken: { nodes: nodes.filter((other) => other !== node), links } })),
    ...links.map((_, gone) => ({ ...plan, broken: { nodes, links: links.filter((_, at) => at !== gone) } })),
  ]
}

const calmer = (weather: Weather): Weather[] => [
  ...(weather.drop > 0 ? [{ ...weather, drop: 0 }] : []),
  ...(weather.duplicate > 0 ? [{ ...weather, duplicate: 0 }] : []),
  ...(weather.reorder > 0 ? [{ ...weather, reorder: 0 }] : []),
  ...(weather.delay.most > calm.delay.most ? [{ ...weather, delay: calm.delay }] : []),
]

const isCalm = (weather: Weather): boolean => calmer(weather).length === 0

export const calmerWeather = (plan: Plan): Plan[] =>
  isCalm(plan.weather)
    ? []
    : [{ ...plan, weather: calm }, ...calmer(plan.weather).map((weather) => ({ ...plan, weather }))]

/** What is sent goes in one message. */
export const roomierMessages = (plan: Plan): Plan[] =>
  plan.messageBytes < mostMessageBytes ? [{ ...plan, messageBytes: mostMessageBytes }] : []

/** What an exact node is like. Its protocol version stays what the plan says: the newest is no simpler than an older one. */
const ideal = { clockRate: 1, drainMillis: 0, persistedMillis: 0, diskMillis: 0 } as const
const idealKeys = Object.keys(ideal) as (keyof typeof ideal)[]

const isIdeal = (traits: NodeTraits): boolean => idealKeys.every((key) => traits[key] === ideal[key])

/** All nodes at once, then trait by trait, then node by node. */
export const idealTraits = (plan: Plan): Plan[] => {
  if (plan.traits.every(isIdeal)) return []
  const without = (change: (traits: NodeTraits, at: number) => NodeTraits): Plan => ({
    ...plan,
    traits: plan.traits.map(change),
  })
  const differing = idealKeys.filter((key) => plan.traits.some((traits) => traits[key] !== ideal[key]))
  return [
    without((traits) => ({ ...traits, ...ideal })),
    ...differing.map((key) => without((traits) => ({ ...traits, [key]: ideal[key] }))),
    ...plan.traits.flatMap((one, node) =>
      isIdeal(one) ? [] : [without((traits, at) => (at === node ? { ...traits, ...ideal } : traits))],
    ),
  ]
}

/** One fault, made shorter or fewer times. */
const milder = (fault: Fault): Fault[] => {
  switch (fault.type) {
    case 'partition':
    case 'isolate':
    case 'one-way':
    case 'pause':
    case 'disk-stall':
    case 'disk-full':
    case 'disk-fails':
      return shorter(fault.millis).map((millis) => ({ ...fault, millis }))
    case 'coup':
      return [
        ...shorter(fault.millis).map((millis) => ({ ...fault, millis })),
        ...shorter(fault.afterMillis).map((afterMillis) => ({ ...fault, afterMillis })),
      ]
    case 'weather':
      return [
        ...shorter(fault.millis).map((millis) => ({ ...fault, millis })),
        ...calmer(fault.weather).map((weather) => ({ ...fault, weather })),
      ]
    case 'crash':
    case 'disk-corruption':
      return shorter(fault.downMillis).map((downMillis) => ({ ...fault, downMillis }))
    case 'restart-storm':
      return [
        ...downTo(1, fault.times).map((times) => ({ ...fault, times })),
        ...shorter(fault.everyMillis).map((everyMillis) => ({ ...fault, everyMillis })),
      ]
    case 'reset':
    case 'disk-lost':
    case 'add':
    case 'remove':
    case 'promote':
    case 'transfer':
      return []
  }
}

export const milderFaults = (plan: Plan): Plan[] =>
  plan.faults.flatMap((fault, at) => milder(fault).map((mild) => ({ ...plan, faults: plan.faults.with(at, mild) })))

/** Chaos that ends sooner, never before the last fault. How long convergence may take stays: less would be a failure of another kind. */
export const shorterRun = (plan: Plan): Plan[] => {
  const last = plan.faults.reduce((latest, { at }) => Math.max(latest, at), 0)
  return downTo(Math.floor(last) + 1, plan.chaosMillis)
    .slice(0, 6)
    .map((chaosMillis) => ({ ...plan, chaosMillis }))
}
