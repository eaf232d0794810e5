/**
 * The wires between the hosts of a run. With root on Linux every host is a network namespace on a switch that stands in a namespace of its own, so that
 * nothing outside is touched; packets are dropped by nftables inside the hosts. About half of the links between nodes, chosen by the seed, lead through
 * relays, which make them slow. Without root all hosts are this one, and all links lead through relays.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Random } from '@conclave/interface'
import { nodeCommand, startChild, Talker } from './child.ts'
import type { Ledger } from './ledger.ts'
import type { FromRelay, Pace, Route, ToRelay } from './relay.ts'

export type Mode = 'netns' | 'loopback'
/** A node by name, or where some clients are. The observer has a host too, which nothing cuts off. */
export type Host = string
/** Clients on two hosts: one may see what the other does not. */
export const clientHosts: readonly Host[] = ['clients1', 'clients2']
const observerHost: Host = 'observer'
const switchHost = 'switch'

/** What is wrong with the wires at present. Several hold at once. */
export type Trouble =
  /** Packets from one host to another are lost: all of them at 1. */
  | { readonly type: 'loss'; readonly from: Host; readonly to: Host; readonly share: number }
  /** A link that leads through a relay is slow. */
  | { readonly type: 'pace'; readonly from: Host; readonly to: Host; readonly pace: Pace }

/** A table with one chain, in the words of nft. */
const table = (name: string, type: string, rules: readonly string[]): string =>
  [`table ${name} {`, 'chain only {', `type ${type};`, ...rules, '}', '}', ''].join('\n')

/** Why namespaces cannot be had here; undefined if they can. */
export const namespaceObstacle = (): string | undefined => {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  if (process.getuid?.() !== 0) return 'network namespaces take root'
  const probe = `cvsoakp${process.pid}`
  const works = (...args: string[]): boolean => spawnSync('ip', args, { stdio: 'ignore' }).status === 0
  if (!works('netns', 'add', probe)) return '`ip netns add` does not work here'
  try {
    if (!works('-n', probe, 'link', 'add', 'name', 'sw', 'type', 'bridge')) return 'bridges cannot be made here'
    const rules = spawnSync('ip', ['netns', 'exec', probe, 'nft', '-f', '-'], {
      input: table('ip probe', 'filter hook input priority 0', ['numgen random mod 100 < 5 drop']),
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    return rules.status === 0 ? undefined : 'nftables do not work here (on Debian: apt-get install nftables)'
  } finally {
    works('netns', 'del', probe)
  }
}

const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Loads rules into a namespace, in one transaction. */
const loadRules = (namespace: string, rules: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = execFile('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], (error, _stdout, stderr) => {
      if (error === null) resolve()
      else reject(new Error(`nft in ${namespace}: ${stderr || error.message}`))
    })
    child.stdin?.end(rules)
  })

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

const nodePort = 7400
const relayPort = 7500

export interface NetworkInit {
  readonly mode: Mode
  readonly nodes: readonly string[]
  readonly random: Random
  readonly ledger: Ledger
  /** Where relays log. */
  readonly directory: string
  readonly failed: (problem: string) => void
}

export class Network {
  readonly mode: Mode
  readonly #init: NetworkInit
  readonly #tag = `cvsoak${process.pid}`
  /** `from>to` of the links that lead through a relay. */
  readonly #relayed = new Set<string>()
  readonly #relays = new Map<Host, Talker<ToRelay, FromRelay>>()
  readonly #ports = new Map<string, number>()
  readonly #troubles = new Set<Trouble>()
  readonly #loaded = new Map<Host, string>()
  #applying: Promise<void> = Promise.resolve()

  constructor(init: NetworkInit) {
    this.mode = init.mode
    this.#init = init
    for (const from of init.nodes) {
      for (const to of init.nodes) {
        const chosen = init.random.next() < 0.5
        if (from !== to && (chosen || init.mode === 'loopback')) this.#relayed.add(`${from}>${to}`)
      }
    }
  }

  /** Links that can be made slow, as `[from, to]`. */
  get relayedLinks(): readonly (readonly [Host, Host])[] {
    return [...this.#relayed].map((link) => link.split('>') as [Host, Host])
  }

  #namespace(host: Host): string {
    return `${this.#tag}${host}`
  }

  /** What a command of this host begins with. */
  within(host: Host): readonly string[] {
    return this.mode === 'netns' ? ['ip', 'netns', 'exec', this.#namespace(host)] : []
  }
  get observer(): readonly string[] {
    return this.within(observerHost)
  }

  #addresses(host: Host): readonly string[] {
    const at = this.#init.nodes.indexOf(host)
    // A node's second address is that of its relay.
    if (at >= 0) return [`10.77.0.${11 + at}`, `10.77.0.${111 + at}`]
    return [`10.77.0.${200 + 1 + clientHosts.indexOf(host)}`]
  }

  async build(): Promise<void> {
    if (this.mode === 'netns') this.#buildNamespaces()
    else for (const node of this.#init.nodes) this.#ports.set(node, await freePort())
    await Promise.all(this.#init.nodes.map((node) => this.#startRelay(node)))
    if (this.mode === 'netns') await Promise.all(this.#init.nodes.map((node) => this.#redirect(node)))
  }

  #buildNamespaces(): void {
    const hosts = [...this.#init.nodes, ...clientHosts, observerHost]
    const add = (host: Host): string => {
      const name = this.#namespace(host)
      this.#init.ledger.namespace(name)
      ip('netns', 'add', name)
      ip('-n', name, 'link', 'set', 'lo', 'up')
      return name
    }
    const hub = add(switchHost)
    ip('-n', hub, 'link', 'add', 'name', 'sw', 'type', 'bridge')
    ip('-n', hub, 'link', 'set', 'sw', 'up')
    for (const host of hosts) {
      const name = add(host)
      const port = `p-${host}`
      ip('link', 'add', 'name', 'eth0', 'netns', name, 'type', 'veth', 'peer', 'name', port, 'netns', hub)
      ip('-n', hub, 'link', 'set', port, 'master', 'sw', 'up')
      for (const address of this.#addresses(host)) ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
      ip('-n', name, 'link', 'set', 'eth0', 'up')
    }
  }

  async #startRelay(from: Host): Promise<void> {
    const peers = this.#init.nodes.filter((to) => this.#relayed.has(`${from}>${to}`))
    if (peers.length === 0) return
    const log = join(this.#init.directory, `relay-${from}.log`)
    const command = [...this.within(from), ...nodeCommand, join(import.meta.dirname, 'relay.ts')]
    const name = `the relay of ${from}`
    const relay = new Talker<ToRelay, FromRelay>(
      name,
      startChild(command, log, this.#init.ledger, true),
      this.#init.failed,
    )
    this.#relays.set(from, relay)
    const listening = relay.next('listening', 30_000)
    relay.tell({ type: 'listen', routes: peers.map((to) => this.#route(from, to)) })
    const { ports } = await listening
    for (const [to, port] of Object.entries(ports)) this.#ports.set(`${from}>${to}`, port)
  }

  #route(from: Host, to: Host): Route {
    const { host, port } = this.address(to)
    if (this.mode === 'loopback') return { peer: to, listen: { host: '127.0.0.1', port: 0 }, target: { host, port } }
    const [, own = ''] = this.#addresses(from)
    const listen = { host: '127.0.0.1', port: relayPort + this.#init.nodes.indexOf(to) }
    return { peer: to, listen, target: { host, port }, from: own }
  }

  /** In a namespace the node dials its peer's true address, and is led to the relay; the relay dials from its own address, and is not. */
  async #redirect(from: Host): Promise<void> {
    const [own = ''] = this.#addresses(from)
    const rules = this.#init.nodes
      .filter((to) => this.#relayed.has(`${from}>${to}`))
      .map((to) => {
        const target = `ip saddr ${own} ip daddr ${this.#addresses(to)[0]} tcp dport ${nodePort}`
        return `${target} redirect to :${relayPort + this.#init.nodes.indexOf(to)}`
      })
    await loadRules(this.#namespace(from), table('ip relays', 'nat hook output priority -100', rules))
  }

  /** Where a node listens. */
  address(node: Host): { readonly host: string; readonly port: number } {
    if (this.mode === 'netns') return { host: this.#addresses(node)[0] ?? '', port: nodePort }
    return { host: '127.0.0.1', port: this.#ports.get(node) ?? 0 }
  }

  /** Where a node's configuration says that its peer is. */
  addressFor(from: Host, to: Host): { readonly host: string; readonly port: number } {
    const relay = this.mode === 'loopback' ? this.#ports.get(`${from}>${to}`) : undefined
    return relay === undefined ? this.address(to) : { host: '127.0.0.1', port: relay }
  }

  /** Makes trouble; it lasts until what is returned is called. */
  async trouble(troubles: readonly Trouble[]): Promise<() => Promise<void>> {
    for (const trouble of troubles) this.#troubles.add(trouble)
    await this.#apply()
    return async () => {
      for (const trouble of troubles) this.#troubles.delete(trouble)
      await this.#apply()
    }
  }

  /** Cuts the connections of a link that leads through a relay, once. */
  reset(from: Host, to: Host): void {
    this.#relays.get(from)?.tell({ type: 'reset', peer: to })
  }

  /** One change after the other: two that crossed could leave the older one in force. */
  #apply(): Promise<void> {
    const applied = this.#applying.then(() => this.#applyNow())
    this.#applying = applied.catch(() => undefined)
    return applied
  }

  async #applyNow(): Promise<void> {
    for (const [from, relay] of this.#relays) relay.tell({ type: 'pace', paces: this.#pacesOf(from) })
    if (this.mode === 'loopback') return
    const hosts = [...this.#init.nodes, ...clientHosts]
    await Promise.all(
      hosts.map(async (host) => {
        const rules = this.#rulesOf(host)
        if (this.#loaded.get(host) === rules) return
        await loadRules(this.#namespace(host), rules)
        this.#loaded.set(host, rules)
      }),
    )
  }

  #pacesOf(from: Host): Record<string, Pace> {
    const paces: Record<string, Pace> = {}
    for (const trouble of this.#troubles) {
      if (trouble.type !== 'pace' || trouble.from !== from) continue
      const { delayMillis, jitterMillis, stalled } = paces[trouble.to] ?? trouble.pace
      paces[trouble.to] = {
        delayMillis: Math.max(delayMillis, trouble.pace.delayMillis),
        jitterMillis: Math.max(jitterMillis, trouble.pace.jitterMillis),
        stalled: stalled || trouble.pace.stalled,
      }
    }
    return paces
  }

  /** Loss happens where packets come in, so that each direction is its own. */
  #rulesOf(to: Host): string {
    const rules: string[] = []
    for (const trouble of this.#troubles) {
      if (trouble.type !== 'loss' || trouble.to !== to) continue
      const chance = trouble.share >= 1 ? '' : ` numgen random mod 1000 < ${Math.round(trouble.share * 1000)}`
      rules.push(`ip saddr { ${this.#addresses(trouble.from).join(', ')} }${chance} drop`)
    }
    return `table ip soak\ndelete table ip soak\n${table('ip soak', 'filter hook input priority 0', rules)}`
  }

  /** The relays are about to be ended. */
  leaving(): void {
    for (const relay of this.#relays.values()) relay.leaving()
  }
}
