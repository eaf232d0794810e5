import { Flags } from '@oclif/core'
import { CommandFailed, exitCodes } from './exit.ts'
import { addressOf, defaultDirectory, type LocalCluster, nearestCluster, requireCluster } from './local/cluster.ts'

/** Which cluster a command talks to. */
export interface Target {
  /** Multiaddrs with `/p2p/ID`. */
  readonly endpoints: readonly string[]
  /** The local cluster, if it was found by its directory. */
  readonly local?: LocalCluster
}

export const dataFlag = {
  data: Flags.string({
    description: `directory of a local cluster (default: the nearest ${defaultDirectory})`,
    helpValue: 'DIR',
  }),
}

export const targetFlags = {
  endpoints: Flags.string({
    description: 'nodes to talk to: multiaddrs with /p2p/ID, separated by commas (or CONCLAVE_ENDPOINTS)',
    helpValue: 'ADDR',
    multiple: true,
    // Else the key that follows would be taken for one more endpoint.
    multipleNonGreedy: true,
    delimiter: ',',
  }),
  ...dataFlag,
}

const checked = (endpoints: readonly string[], source: string): string[] => {
  const trimmed = endpoints.map((endpoint) => endpoint.trim()).filter((endpoint) => endpoint !== '')
  const wrong = trimmed.find((endpoint) => !/^\/.+\/p2p\/[1-9A-HJ-NP-Za-km-z]+$/.test(endpoint))
  if (wrong === undefined && trimmed.length > 0) return trimmed
  const what = wrong === undefined ? 'names no endpoint' : `holds "${wrong}", which is no multiaddr with a peer id`
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-endpoint',
    `${source} ${what}`,
    'Write /ip4/HOST/tcp/PORT/p2p/ID; `conclave status` and `conclave init` print them.',
  )
}

/** In this order: `--endpoints`, `CONCLAVE_ENDPOINTS`, `--data`, the nearest `.conclave` upwards. @throws CommandFailed. */
export const findTarget = (
  flags: { readonly endpoints?: readonly string[] | undefined; readonly data?: string | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
  cwd: string = process.cwd(),
): Target => {
  if (flags.endpoints !== undefined) return { endpoints: checked(flags.endpoints, '--endpoints') }
  const fromEnv = env.CONCLAVE_ENDPOINTS
  if (fromEnv) return { endpoints: checked(fromEnv.split(','), 'CONCLAVE_ENDPOINTS') }
  if (flags.data === undefined && nearestCluster(cwd) === undefined) {
    throw new CommandFailed(
      exitCodes.refused,
      'no-cluster',
      `no cluster to talk to: no ${defaultDirectory} directory here or above`,
      'Start one with: conclave up -d\nOr name one with --endpoints, CONCLAVE_ENDPOINTS or --data.',
    )
  }
  const local = requireCluster(flags.data, cwd)
  return { endpoints: local.nodes.map(addressOf), local }
}
