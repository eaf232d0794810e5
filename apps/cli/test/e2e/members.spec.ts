import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, connect } from '@conclave/client'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../src/local/create.ts'
import { inDirectory, json, killNode, logOf, type Running, run, start, status, until } from './cli.ts'

interface Listed {
  readonly leader: string | null
  readonly voters: number
  readonly quorum: number
  readonly members: readonly {
    readonly name: string
    readonly id: string
    readonly role: string
    readonly up: boolean
    readonly behind?: number
  }[]
}

const list = (cwd: string): Promise<Listed> => json<Listed>(cwd, ['member', 'list'])
const rolesOf = ({ members }: Listed): Record<string, string> =>
  Object.fromEntries(members.map(({ name, role }) => [name, role]))

/** A client of the cluster in `cwd`, for waiting: a look costs no process. */
const clientOf = async (cwd: string): Promise<Client> =>
  connect({ endpoints: (await status(cwd)).nodes.map(({ address }) => address) })

const untilRole = (client: Client, name: string, role: string): Promise<unknown> =>
  until(
    () => client.membership.get({ timeout: 30_000 }),
    ({ membership }) => membership.members.some((member) => member.name === name && member.role === role),
  )

/** Nodes that were started beside those of `conclave up`; they end with the test. */
class Newcomers implements AsyncDisposable {
  readonly #cwd: string
  readonly #running = new Map<string, Running>()

  constructor(cwd: string) {
    this.#cwd = cwd
  }

  /** What `conclave init` prints, and the command that `conclave member add` prints: run as they are. */
  async init(name: string): Promise<string> {
    const [port] = await freePorts(1)
    const listen = `/ip4/127.0.0.1/tcp/${port}`
    const { member } = await json<{ member: string }>(this.#cwd, [
      'init',
      '--name',
      name,
      '--listen',
      listen,
      '--data',
      name,
    ])
    return member
  }

  /** @param command `conclave node start …`, with `DIR` for the data directory. */
  start(name: string, command: string): Running {
    const [, ...args] = command.split(' ')
    const running = start(
      this.#cwd,
      args.map((arg) => (arg === 'DIR' ? name : arg)),
    )
    this.#running.set(name, running)
    return running
  }

  /** Initializes, adds, starts, and waits until it votes: what a person does. */
  async join(client: Client, name: string): Promise<void> {
    const member = await this.init(name)
    const added = await json<{ start: string; role: string }>(this.#cwd, ['member', 'add', member])
    expect(added.role).toBe('joining')
    this.start(name, added.start)
    await untilRole(client, name, 'voter')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running.values()) child.kill('SIGKILL')
    for (const { ended } of this.#running.values()) await ended
  }
}

/** Writers of the public client that go on until they are stopped; each write is awaited, and counted. */
const writing = async (client: Client) => {
  const before = await client.kv.revision()
  let open = true
  let written = 0
  const writer = async (lane: number): Promise<void> => {
    for (let at = 0; open; at++) {
      await client.kv.put(`w/${lane}/${at}`, `${lane}:${at}`, { timeout: 60_000 })
      written++
    }
  }
  const writers = Promise.all(Array.from({ length: 8 }, (_, lane) => writer(lane)))
  return {
    /** Waits for some more writes: the cluster serves. */
    more: async (): Promise<void> => {
      const from = written
      await until(
        async () => written,
        (count) => count > from + 100,
      )
    },
    /** Every acknowledged write is there, and none was applied twice: the store counts one revision for each. */
    stop: async (): Promise<number> => {
      open = false
      await writers
      expect(await client.kv.revision()).toBe(before + BigInt(written))
      expect((await client.kv.count({ prefix: 'w/' })).count).toBe(written)
      return written
    },
  }
}

describe('the members of a cluster of real processes', { timeout: 300_000 }, () => {
  test('grow from three to five and shrink back under load, the leader removed, a dead one replaced, leadership moved', () =>
    inDirectory(async (cwd) => {
      await using newcomers = new Newcomers(cwd)
      await json(cwd, ['up', '-d'])
      await using client = await clientOf(cwd)
      const load = await writing(client)

      await newcomers.join(client, 'n4')
      await load.more()
      await newcomers.join(client, 'n5')
      await load.more()
      const five = await list(cwd)
      expect([five.voters, five.quorum]).toEqual([5, 3])

      // The leader goes, while its clients write.
      const leader = String(five.leader)
      const removed = await run(cwd, ['member', 'remove', leader])
      expect(removed.stdout, removed.stderr).toContain(`removed ${leader}; 4 voters: a write needs 3 of them`)
      await load.more()
      if (leader.match(/n[123]/)) expect(await logOf(cwd, leader)).toContain('this node was removed from the cluster')

      // One dies for good, and a new machine takes its place under a new id.
      const founders = (await list(cwd)).members.filter(({ name }) => /^n[123]$/.test(name))
      const dead = founders[0]?.name ?? ''
      killNode(cwd, dead)
      await load.more()
      expect((await run(cwd, ['member', 'remove', dead])).code).toBe(0)
      await newcomers.join(client, 'n6')
      await load.more()

      // Leadership goes where it is wanted.
      const moved = await json<{ leader: string }>(cwd, ['move-leader', 'n6'])
      expect(moved.leader).toBe('n6')
      await load.more()
      expect((await list(cwd)).leader).toBe('n6')

      // And back to three.
      const spare = (await list(cwd)).members.find(({ name }) => name !== 'n6')?.name ?? ''
      expect((await run(cwd, ['member', 'remove', spare])).code).toBe(0)
      await load.more()
      expect((await list(cwd)).voters).toBe(3)
      expect(await load.stop()).toBeGreaterThan(600)
    }))

  test('a learner waits for its promotion; --wait follows it, and says when there is nobody', () =>
    inDirectory(async (cwd) => {
      await using newcomers = new Newcomers(cwd)
      await json(cwd, ['up', '-d'])
      const member = await newcomers.init('n4')
      const late = await run(cwd, ['member', 'add', member, '--learner', '--wait', '1s'])
      expect(late.code).toBe(4)
      expect(late.stdout).toContain('n4 does not answer yet')
      expect(late.stderr).toContain('Start it on its host:')
      const command = /conclave node start .*/.exec(late.stderr)?.[0] ?? ''
      newcomers.start('n4', command)
      await using client = await clientOf(cwd)
      await until(
        () => client.status(),
        (all) => all.some((member) => member.name === 'n4' && member.reachable && member.status.member === 'learner'),
      )
      const { members } = await list(cwd)
      expect(members.find(({ name }) => name === 'n4')).toMatchObject({ role: 'learner', up: true })
      expect((await run(cwd, ['move-leader', 'n4'])).stderr).toContain('n4 is a learner: only a voter can lead')
      expect((await run(cwd, ['member', 'promote', 'n4'])).code).toBe(0)
      await untilRole(client, 'n4', 'voter')
      const update = await run(cwd, ['member', 'update', 'n4', '--name', 'fourth'])
      expect(update.code, update.stderr).toBe(0)
      expect(rolesOf(await list(cwd))).toHaveProperty('fourth')
      expect((await status(cwd)).nodes.map(({ name }) => name)).toContain('fourth')
    }))

  test('what cannot be done is refused with its reason', () =>
    inDirectory(async (cwd) => {
      await using newcomers = new Newcomers(cwd)
      await json(cwd, ['up', '-d', '-n', '2'])
      const refused = async (...args: string[]): Promise<string> => {
        const { code, stderr } = await run(cwd, args)
        expect(code, stderr).toBe(3)
        return stderr
      }
      expect(await refused('member', 'remove', 'n9')).toContain('no member n9')
      const member = await newcomers.init('n1')
      expect(await refused('member', 'add', member)).toContain('another member is called n1')
      const { leader } = await list(cwd)
      const other = leader === 'n1' ? 'n2' : 'n1'
      expect((await run(cwd, ['member', 'remove', other])).stdout).toContain('1 voter: a write needs 1 of them')
      expect(await refused('member', 'remove', String(leader))).toContain('is the last voter')
      expect(await refused('member', 'add', member.replace(/^n1=.*/, await oldLine(cwd, other)))).toContain(
        'an id is never used again',
      )
      expect((await run(cwd, ['member', 'add', 'n4'])).code).toBe(2)
      expect((await run(cwd, ['member', 'add', member, '--wait', 'soon'])).code).toBe(2)
    }))

  test('a removal that would stop the cluster is asked for twice', () =>
    inDirectory(async (cwd) => {
      await using newcomers = new Newcomers(cwd)
      await json(cwd, ['up', '-d'])
      await using client = await clientOf(cwd)
      await newcomers.join(client, 'n4')
      const { leader } = await list(cwd)
      const [victim = '', alive = ''] = ['n1', 'n2', 'n3'].filter((name) => name !== leader)
      killNode(cwd, victim)
      const { code, stderr } = await run(cwd, ['member', 'remove', alive])
      expect([code, stderr]).toEqual([0, ''])
      const [next = ''] = ['n4', String(leader)].filter((name) => name !== leader && name !== victim)
      const asked = await run(cwd, ['member', 'remove', next])
      expect(asked.code).toBe(3)
      expect(asked.stderr).toContain('only 1 answer now: the cluster would stop')
      expect(asked.stderr).toContain('--yes')
    }))
})

/** The member line of a founder of the local cluster. */
const oldLine = async (cwd: string, name: string): Promise<string> => {
  const config = await readFile(join(cwd, '.conclave', name, 'config.yaml'), 'utf8')
  const address = new RegExp(`${name}: (\\S+)`).exec(config.slice(config.indexOf('members:')))?.[1] ?? ''
  return `other=${address}`
}

test('endpoints of two clusters are told apart', { timeout: 120_000 }, () =>
  inDirectory(async (cwd) => {
    const elsewhere = join(cwd, 'elsewhere')
    await mkdir(elsewhere)
    try {
      await json(cwd, ['up', '-d', '-n', '1'])
      await json(elsewhere, ['up', '-d', '-n', '1'])
      const [one, other] = [await status(cwd), await status(elsewhere)]
      const endpoints = [one, other].map(({ nodes }) => nodes[0]?.address).join(',')
      const { code, stderr } = await run(cwd, ['status', '--endpoints', endpoints])
      expect([code, stderr]).toEqual([2, expect.stringContaining('the endpoints belong to 2 different clusters')])
    } finally {
      await run(elsewhere, ['down'])
    }
  }),
)

test('Ctrl-C in an import says what is written', { timeout: 120_000 }, () =>
  inDirectory(async (cwd) => {
    await json(cwd, ['up', '-d', '-n', '1'])
    const lines = Array.from({ length: 50 }, (_, at) => `{"key":"k${at}","value":"v"}\n`)
    await writeFile(join(cwd, 'records.ndjson'), lines.join(''))
    const importing = start(cwd, ['kv', 'import', '-'])
    importing.child.stdin?.write(lines.join(''))
    await until(
      () => run(cwd, ['kv', 'get', 'k49']),
      ({ code }) => code === 0,
    )
    importing.child.kill('SIGINT')
    const { code, stderr } = await importing.ended
    expect(code).toBe(1)
    expect(stderr).toContain('interrupted: 50 records were acknowledged')
    expect(stderr).toContain('Everything before line 51 is written')
  }),
)
