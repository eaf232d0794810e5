/** What a plug-in can be. */
export interface Kind {
  /** With its article, for people. */
  readonly noun: string
  /** What stands in the manifest if nothing is said. */
  description(name: string): string
  /** Runs in a browser as it is: type-checked without Node's types. */
  readonly pure: boolean
  /** Packages of lower floors that the skeleton imports, without their scope. */
  readonly imports: readonly string[]
}

export const kinds = {
  engine: {
    noun: 'an engine',
    description: (name) => `${name} as a pure state machine for Conclave: inputs in, effects out, no I/O, no clock.`,
    pure: true,
    imports: ['interface', 'quorum'],
  },
  journal: {
    noun: 'a journal',
    description: (name) => `The durable log of a Conclave replica, kept by ${name}.`,
    pure: false,
    imports: ['interface'],
  },
  transport: {
    noun: 'a transport',
    description: (name) => `Links between the members of a Conclave cluster over ${name}.`,
    pure: false,
    imports: ['interface'],
  },
  machine: {
    noun: 'a state machine',
    description: (name) => `${name} as a deterministic state machine for Conclave.`,
    pure: true,
    imports: ['interface'],
  },
  balancer: {
    noun: 'a balancer',
    description: (name) => `The load-balancing strategy ${name} for Conclave.`,
    pure: true,
    imports: ['interface'],
  },
} as const satisfies Readonly<Record<string, Kind>>

export type KindName = keyof typeof kinds
