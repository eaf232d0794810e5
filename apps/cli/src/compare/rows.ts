/** What a comparison tells, figure by figure: the same in the table, on the page and in the help. */
import type { Comparison, EngineFigures, Spread } from '@conclave/simulator'

export type Unit = 'delays' | 'ms' | 'bytes' | 'count' | 'per second'

/** One figure of each engine. */
export interface Row {
  readonly label: string
  readonly unit: Unit
  /** What it counts, and how it could be derived. */
  readonly about: string
  readonly of: (figures: EngineFigures) => number | undefined
  /** From the least to the 99th percentile, where it is one of many. */
  readonly spread?: (figures: EngineFigures) => Spread | undefined
  /** The page shows it as part of another. */
  readonly tableOnly?: true
}

export interface Section {
  readonly title: string
  readonly about: string
  readonly rows: readonly Row[]
}

const delaySection: Section = {
  title: 'Message delays',
  about:
    'One write or read at a time, in a network in which each message takes exactly one unit and nothing else takes any time: what is counted is how many messages have to follow each other.',
  rows: [
    {
      label: 'write decided at the leader',
      unit: 'delays',
      about: 'From the proposal at the leader to its decision there. Two: to a majority and back.',
      of: ({ delays }) => delays?.decided,
    },
    {
      label: 'write answered to the client',
      unit: 'delays',
      about: "From the client's call to its answer: the same and the way from and to the client.",
      of: ({ delays }) => delays?.answered,
    },
    {
      label: 'read decided at the leader',
      unit: 'delays',
      about: 'A linearizable read, until the leader knows that it still led: two for a round to a majority and back.',
      of: ({ delays }) => delays?.readDecided,
    },
    {
      label: 'read answered to the client',
      unit: 'delays',
      about: 'The same and the way from and to the client.',
      of: ({ delays }) => delays?.readAnswered,
    },
    {
      label: 'write known everywhere',
      unit: 'ms',
      about:
        'From the proposal until the last node knows the decision, when no further write follows: by a message of its own, or with the next heartbeat or tick.',
      of: ({ delays }) => delays?.everywhereMillis,
    },
  ],
}

const loadRows = (which: 'alone' | 'loaded'): readonly Row[] => [
  {
    label: 'messages per command',
    unit: 'count',
    about:
      'Messages from node to node, heartbeats included, divided by the commands decided. With n nodes Raft and Multi-Paxos need n − 1 messages and as many replies per entry; Zab n − 1 commits besides.',
    of: (figures) => figures[which]?.messagesPerCommand,
  },
  {
    label: 'bytes per command',
    unit: 'bytes',
    about: 'The size of these messages. A value goes to n − 1 nodes, so it is at least n − 1 times the value.',
    of: (figures) => figures[which]?.bytesPerCommand,
  },
  {
    label: 'syncs per command',
    unit: 'count',
    about: 'Syncs of the journal on all nodes together: at most one per node and entry; under load one serves several.',
    of: (figures) => figures[which]?.syncsPerCommand,
  },
  {
    label: 'latency of a write',
    unit: 'ms',
    about: 'From call to answer: the median, and a line from the shortest to the 99th percentile.',
    of: (figures) => figures[which]?.latencyMillis.median,
    spread: (figures) => figures[which]?.latencyMillis,
  },
  {
    label: 'latency, 99th percentile',
    unit: 'ms',
    about: 'The latency that one write of a hundred exceeds.',
    of: (figures) => figures[which]?.latencyMillis.p99,
    tableOnly: true,
  },
  {
    label: 'commands per second',
    unit: 'per second',
    about: 'In virtual time, where computing costs nothing: what delays and disks allow, not what a machine does.',
    of: (figures) => figures[which]?.commandsPerSecond,
  },
]

const aloneSection: Section = {
  title: 'One client',
  about:
    "One client that writes its next value when the last is answered: nothing is batched, so this is the protocol's own price.",
  rows: loadRows('alone'),
}

const loadedSection = (clients: number): Section => ({
  title: clients === 1 ? 'Under load (1 client)' : `Under load (${clients} clients)`,
  about:
    'The same with all clients at once: what a turn of the leader brings shares an entry, and what a disk is given while it works shares a sync.',
  rows: [
    ...loadRows('loaded'),
    {
      label: 'commands per entry',
      unit: 'count',
      about: 'Commands that one log entry holds: those that reached the leader within one of its turns.',
      of: ({ loaded }) => loaded?.commandsPerEntry,
    },
  ],
})

const idleSection: Section = {
  title: 'Idle',
  about: 'A cluster that nobody uses: heartbeats and their answers.',
  rows: [
    {
      label: 'messages',
      unit: 'per second',
      about: 'Raft with n nodes and a heartbeat each 50 ms: 20 × 2 × (n − 1).',
      of: ({ idle }) => idle?.messagesPerSecond,
    },
    {
      label: 'bytes',
      unit: 'per second',
      about: 'The size of these messages.',
      of: ({ idle }) => idle?.bytesPerSecond,
    },
    {
      label: 'syncs',
      unit: 'per second',
      about: 'Syncs of the journal on all nodes together.',
      of: ({ idle }) => idle?.syncsPerSecond,
    },
  ],
}

/** Everything but fail-over and faults, which have tables of their own. */
export const sectionsOf = ({ request }: Pick<Comparison, 'request'>): readonly Section[] => [
  delaySection,
  aloneSection,
  loadedSection(request.clients),
  idleSection,
]

const thousands = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, ',')

/** Three digits, about: 4.61, 12.3, 788, 6,530. */
export const figure = (value: number): string => {
  if (value >= 100) return thousands(String(Math.round(value)))
  const text = value.toFixed(value < 10 ? 2 : 1)
  return Number.isInteger(Number(text)) ? String(Number(text)) : text
}

const suffixes: Readonly<Record<Unit, string>> = { delays: '', ms: ' ms', bytes: ' B', count: '', 'per second': '/s' }

/** A figure with its unit; a dash if there is none. */
export const withUnit = (value: number | undefined, unit: Unit): string =>
  value === undefined ? '–' : `${figure(value)}${suffixes[unit]}`

export const percent = (part: number): string => {
  const value = part * 100
  // What is not all is not told as all.
  return `${value < 100 && value > 99.9 ? '99.9' : String(Number(value.toFixed(1)))} %`
}
