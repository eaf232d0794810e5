import type { Client, LazyClient } from '@conclave/client'
import type { Identity } from '@conclave/transport-libp2p'
import { Flags } from '@oclif/core'
import { CommandFailed, exitCodes } from './exit.ts'
import { addressOf, requireCluster, requireNode } from './local/cluster.ts'
import { processesOf } from './local/supervise.ts'
import { findTarget, type Target, targetFlags } from './target.ts'

/** A day: nobody waits longer, and timers do not count much further. */
export const maxTimeoutSeconds = 86_400

export const clientFlags = {
  ...targetFlags,
  timeout: Flags.integer({
    description: 'seconds until a call is given up',
    default: 10,
    min: 1,
    max: maxTimeoutSeconds,
    helpValue: 'SECONDS',
  }),
}

export const readFlags = {
  ...clientFlags,
  local: Flags.boolean({ description: 'read what one node has applied: fast, maybe stale' }),
  node: Flags.string({
    description: 'with --local: read from this node of the local cluster',
    helpValue: 'NAME',
    dependsOn: ['local'],
  }),
}

interface ClientChoice {
  readonly endpoints?: readonly string[] | undefined
  readonly data?: string | undefined
  readonly node?: string | undefined
  readonly identity?: string | undefined
  readonly timeout: number
}

/** The key in this file; made if there is none. */
const identityOf = async (file: string): Promise<Identity> => {
  const { loadOrCreateIdentity } = await import('@conclave/transport-libp2p')
  return loadOrCreateIdentity(file)
}

/** A client of the cluster that the flags name. libp2p is loaded here, and not before. */
export const openClient = async (flags: ClientChoice, signal?: AbortSignal): Promise<Client> => {
  const target: Target =
    flags.node === undefined
      ? findTarget(flags)
      : { endpoints: [addressOf(requireNode(requireCluster(flags.data), flags.node))] }
  if (target.local !== undefined && processesOf(target.local).every(({ state }) => state === 'dead')) {
    throw new CommandFailed(
      exitCodes.unavailable,
      'unavailable',
      `no node of the cluster in ${target.local.directory} is running`,
      'Start it with: conclave up -d',
    )
  }
  const { connect } = await import('@conclave/client')
  const identity = flags.identity === undefined ? {} : { identity: await identityOf(flags.identity) }
  try {
    return await connect({
      endpoints: target.endpoints,
      timeout: flags.timeout * 1000,
      ...identity,
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'unavailable') throw error
    throw new CommandFailed(
      exitCodes.unavailable,
      'unavailable',
      error instanceof Error ? error.message : String(error),
      target.local === undefined
        ? 'A node that listens beyond loopback serves clients only with --insecure-clients.'
        : `Start the cluster with: conclave up -d --data ${target.local.directory}`,
    )
  }
}

/** A client that need not reach its cluster yet. @throws CommandFailed if the flags name none. */
export const openLazyClient = async (flags: ClientChoice): Promise<LazyClient> => {
  const { endpoints } = findTarget(flags)
  const { lazyClient } = await import('@conclave/client')
  const identity = flags.identity === undefined ? {} : { identity: await identityOf(flags.identity) }
  return lazyClient({ endpoints, timeout: flags.timeout * 1000, ...identity })
}

export const levelOf = (flags: { readonly local: boolean }): 'local' | 'linearizable' =>
  flags.local ? 'local' : 'linearizable'

/** @throws CommandFailed (2) unless it is a whole number. */
export const parseRevision = (text: string): bigint => {
  if (/^\d{1,19}$/.test(text)) return BigInt(text)
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-revision',
    `"${text}" is no revision`,
    'Write a whole number; 0 stands for "the key must not exist".',
  )
}
