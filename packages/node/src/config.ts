import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { EngineFactory, Logger, Timing } from '@conclave/interface'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { engineNames } from './built-ins.ts'
import { isFactory } from './engine-loader.ts'
import { isPath, placeOf } from './engine-place.ts'
import { InvalidConfig } from './errors.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** `lan`: heartbeats each 50 ms, elections after 300 to 600 ms. `wan`: five times as patient. */
export const profiles: Readonly<Record<'lan' | 'wan', Timing>> = {
  lan: { heartbeatTicks: 5, electionTicks: 30, tickMillis: 10 },
  wan: { heartbeatTicks: 25, electionTicks: 150, tickMillis: 10 },
}

const units: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** `65536`, `64KiB`, `1.5 MiB`. Undefined if it is no size. */
export const parseSize = (text: string): number | undefined => {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB)?$/.exec(text) ?? []
  const factor = units[unit]
  return digits === undefined || factor === undefined ? undefined : Math.round(Number(digits) * factor)
}

const size = (least: number) =>
  z.union([z.number(), z.string()], 'a size in bytes, such as 65536, 64KiB or 64MiB').transform((value, context) => {
    const bytes = typeof value === 'number' ? value : parseSize(value)
    if (bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= least) return bytes
    context.addIssue(`a size of at least ${least} bytes, such as 65536, 64KiB or 64MiB`)
    return z.NEVER
  })

const portFits = (at: string): boolean => Number(/\/tcp\/(\d+)/.exec(at)?.[1]) <= 65_535
const address = z
  .string()
  .regex(/^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5}$/, 'a multiaddr such as /ip4/192.168.1.10/tcp/7400')
  .refine(portFits, 'a multiaddr with a port of at most 65535')
const memberAddress = z
  .string()
  .regex(
    /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5}\/p2p\/[1-9A-HJ-NP-Za-km-z]{30,64}$/,
    'a multiaddr with a peer id, such as /ip4/192.168.1.10/tcp/7400/p2p/12D3KooW…: `conclave init` prints it',
  )
  .refine(portFits, 'a multiaddr with a port of at most 65535')
const oneOrMore = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([schema.transform((value) => [value]), z.array(schema).min(1)])
const nodeName = z.string().regex(/^[0-9a-zA-Z._-]{1,63}$/, '1 to 63 characters of 0-9 a-z A-Z . _ -')

/** What a node's configuration file may say; YAML or JSON. A relative `data` or `engine` is relative to the file. */
export const nodeFileSchema = z.strictObject({
  name: nodeName,
  cluster: nodeName.default('conclave'),
  data: z.string().min(1),
  listen: oneOrMore(address),
  members: z
    .record(nodeName, oneOrMore(memberAddress))
    .refine((members) => Object.keys(members).length >= 1 && Object.keys(members).length <= 31, '1 to 31 members')
    .optional(),
  join: z.boolean().default(false),
  engine: z.string().min(1, 'the name of an engine, a path or a package').default('raft'),
  profile: z.enum(['lan', 'wan']).default('lan'),
  durability: z.enum(['disk', 'memory']).default('disk'),
  snapshotBytes: size(4096).default(64 * 1024 ** 2),
  tailBytes: size(0).default(16 * 1024 ** 2),
  leases: z.boolean().default(false),
  insecureClients: z.boolean().default(false),
  log: z.enum(logLevels).default('info'),
})
export type NodeFile = z.output<typeof nodeFileSchema>

/** A node: who it is, where it listens, who its peers are. */
export interface NodeConfig {
  /** 1 to 63 characters of `[0-9a-zA-Z._-]`; a key of `members`. */
  readonly name: string
  /** The cluster's name; nodes and clients of another cluster are refused. Default `conclave`. */
  readonly cluster?: string
  /** The directory of the identity key and the journal. Made if it is not there. One process at a time. */
  readonly data: string
  /** Multiaddrs; port 0 takes a free one. */
  readonly listen: string | readonly string[]
  /**
   * The founders, this node included: name → multiaddr(s) with `/p2p/ID`. The same names and ids on every node; addresses may change.
   * With `join`: some of the present members, of which this node is none yet. Once the members have changed, the cluster knows who they are, and this says only
   * whom to talk to first. Default: this node alone.
   */
  readonly members?: Readonly<Record<string, string | readonly string[]>>
  /** Join a cluster that is there, by being added to it (`conclave member add`); it waits until then. It never founds one. Default false. */
  readonly join?: boolean
  /**
   * One of `engineNames`; the path of an engine's file or package (`./x`, `../x`, absolute) or the name of a package, from the working directory; or the factory of any
   * engine. The same on every member. Default `raft`.
   */
  readonly engine?: string | EngineFactory
  /** Timing. Default `lan`. */
  readonly profile?: 'lan' | 'wan'
  /** `memory` forgets everything at exit: for tests only. Default `disk`. */
  readonly durability?: 'disk' | 'memory'
  /** Bytes of log after which a snapshot is taken: a number, or text such as `64MiB`. Default 64 MiB. */
  readonly snapshotBytes?: number | string
  /** Bytes of decided log kept in memory for slower peers; one that needs an older entry gets a snapshot. Default 16 MiB. */
  readonly tailBytes?: number | string
  /**
   * Serve `lease` reads without a round to a quorum while this node leads. They are linearizable as long as the clocks of all members run at the same rate, within a
   * tenth. The same on all members. Default false: such reads are served as `linearizable`.
   */
  readonly leases?: boolean
  /** Serve clients although the node listens beyond loopback, where anyone who reaches the port may read and write. Default false. */
  readonly insecureClients?: boolean
  /** Default: no output. pino's logger fits. */
  readonly logger?: Logger
}

/** A checked configuration. */
export interface ResolvedConfig extends Omit<NodeFile, 'engine' | 'log'> {
  readonly engine: string | EngineFactory
}

const nearest = (key: string, allowed: readonly string[]): string | undefined =>
  allowed.find((other) => other.toLowerCase().startsWith(key.toLowerCase().slice(0, 3)))

const describe = (issue: z.core.$ZodIssue, allowedKeys: readonly string[]): string[] => {
  const at = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const like = nearest(key, allowedKeys)
        return `${at}unknown key "${key}"${like === undefined ? '' : ` (did you mean "${like}"?)`}; allowed are ${allowedKeys.join(', ')}`
      })
    case 'invalid_value':
      return [`${at}must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`]
    case 'invalid_type':
      return [`${at}${issue.input === undefined ? 'is missing: ' : ''}expected ${issue.expected}`]
    case 'invalid_union': {
      const inner = issue.errors.flat().filter((other) => other.code !== 'invalid_type')
      const best = inner[0]
      if (best !== undefined) return describe({ ...best, path: [...issue.path, ...best.path] }, allowedKeys)
      return [
        `${at}${issue.message.startsWith('Invalid') ? 'has the wrong type, or is missing' : `must be ${issue.message}`}`,
      ]
    }
    case 'invalid_key':
      return issue.issues.flatMap((inner) => describe({ ...inner, path: issue.path }, allowedKeys))
    default:
      return [`${at}must be ${issue.message}`]
  }
}

const check = (value: unknown, source: string): NodeFile => {
  const result = nodeFileSchema.safeParse(value, { reportInput: true })
  if (!result.success) {
    const keys = Object.keys(nodeFileSchema.shape)
    throw new InvalidConfig(
      source,
      result.error.issues.flatMap((issue) => describe(issue, keys)),
    )
  }
  const file = result.data
  if (file.join) return checkJoin(file, source)
  if (file.members !== undefined && file.members[file.name] === undefined) {
    const names = Object.keys(file.members).join(', ')
    throw new InvalidConfig(source, [`members: must hold this node itself, "${file.name}"; it has ${names}`])
  }
  return file
}

/** Who joins needs somebody to join; its own line may stand among theirs. */
const checkJoin = (file: NodeFile, source: string): NodeFile => {
  const { [file.name]: _, ...others } = file.members ?? {}
  if (Object.keys(others).length > 0) return file
  throw new InvalidConfig(source, ['members: must hold at least one present member of the cluster to join'])
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What no schema sees: objects of the embedding program. Without types nothing else keeps them from failing later, and deep inside. */
const checkObjects = (engine: unknown, logger: unknown): void => {
  const problems: string[] = []
  if (typeof engine !== 'string' && !isFactory(engine))
    problems.push(
      `engine: must be one of ${engineNames.join(', ')}, a path, a package, or an EngineFactory of contract 1`,
    )
  const missing = ['debug', 'info', 'warn', 'error'].filter(
    (method) => typeof (logger as Readonly<Record<string, unknown>> | null)?.[method] !== 'function',
  )
  if (logger !== undefined && missing.length > 0) problems.push(`logger: lacks ${missing.join(', ')}`)
  if (problems.length > 0) throw new InvalidConfig('the configuration', problems)
}

/**
 * Checks a configuration and fills in the defaults.
 * @throws InvalidConfig with one sentence per problem.
 */
export const resolveConfig = (config: NodeConfig): ResolvedConfig => {
  if (!isObject(config)) throw new InvalidConfig('the configuration', ['must be an object'])
  const { engine = 'raft', logger, ...rest } = config
  checkObjects(engine, logger)
  const { log: _, ...checked } = check(
    { ...rest, ...(typeof engine === 'string' ? { engine } : {}) },
    'the configuration',
  )
  return { ...checked, data: resolve(checked.data), engine }
}

/** What the file says of an engine, for a reader elsewhere. What is not there is named as before: the loader says so. */
const engineFrom = (engine: string, directory: string): string =>
  placeOf(engine, { from: directory }) ?? (isPath(engine) ? resolve(directory, engine) : engine)

/**
 * Reads and checks a configuration file, YAML or JSON. Paths and packages in it become absolute paths.
 * @throws InvalidConfig if it cannot be read, does not parse or does not hold.
 */
export const loadConfig = async (file: string): Promise<NodeFile> => {
  let value: unknown
  try {
    value = parseYaml(await readFile(file, 'utf8'))
  } catch (error) {
    throw new InvalidConfig(file, [error instanceof Error ? error.message : String(error)])
  }
  const checked = check(value, file)
  const directory = dirname(resolve(file))
  return { ...checked, data: resolve(directory, checked.data), engine: engineFrom(checked.engine, directory) }
}
