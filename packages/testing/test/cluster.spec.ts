import { outlierEjection, roundRobin } from '@conclave/balance'
import { Aborted, type ReadTarget, textOf, Unavailable } from '@conclave/client'
import type { ApplyContext, Capture, Service, ServiceEffects, ServiceInput, StateMachine } from '@conclave/interface'
import { describe, expect, test, vi } from 'vitest'
import { NodeNotRunning, NoLeader, type TestNode, testCluster } from '../src/index.ts'

const others = (nodes: readonly TestNode[], but: TestNode): TestNode[] => nodes.filter((node) => node !== but)
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Adds numbers up: the smallest machine that shows whether a command was applied once. */
const counter = (): StateMachine => {
  let sum = 0
  const reply = (): Uint8Array => bytes(String(sum))
  const capture = (): Capture => {
    const frozen = reply()
    return {
      body: async function* () {
        yield frozen
      },
      release: () => {},
    }
  }
  return {
    name: 'counter',
    apply: (command: Uint8Array, _: ApplyContext) => {
      sum += Number(textOf(command)) || 0
      return reply()
    },
    query: reply,
    capture,
    restore: async (body) => {
      for await (const chunk of body) sum = Number(textOf(chunk))
    },
    hash: () => sum.toString(16).padStart(16, '0'),
  }
}

/** Lets commands in one tick after they came, and none that are no number. */
class Porter implements Service {
  #waiting: number[] = []
  #admitted: ServiceEffects['admitted'][number][] = []

  step(input: ServiceInput): void {
    if (input.type === 'tick') for (const admission of this.#waiting.splice(0)) this.#admitted.push({ admission })
    if (input.type === 'deposed') this.#waiting = []
    if (input.type !== 'admit') return
    if (Number.isNaN(Number(textOf(input.command))))
      this.#admitted.push({ admission: input.admission, refused: 'invalid' })
    else this.#waiting.push(input.admission)
  }

  drain(): ServiceEffects {
    return { answers: [], admitted: this.#admitted.splice(0), propose: [] }
  }
}

describe('a test cluster', () => {
  test('serves the store to clients, and goes on without its leader', async () => {
    await using cluster = await testCluster({ nodes: 3 })
    const client = await cluster.client()
    expect(await client.kv.put('greeting', 'hello')).toMatchObject({ done: true, revision: 1n })
    const first = await cluster.waitForLeader()
    await first.kill()
    expect([first.state, cluster.leader()]).toEqual(['killed', undefined])
    const entry = await client.kv.get('greeting')
    expect(entry && textOf(entry.value)).toBe('hello')
    expect((await cluster.waitForLeader()).name).not.toBe(first.name)
  })

  test('of one node or of five has a leader when it is handed over', async () => {
    for (const nodes of [1, 5]) {
      await using cluster = await testCluster({ nodes })
      expect(cluster.nodes.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3', 'n4', 'n5'].slice(0, nodes))
      expect(cluster.leader()?.status()).toMatchObject({ leading: true, cluster: 'test', engine: 'raft' })
      expect(await cluster.node('n1').kv.put('a', 'b')).toMatchObject({ done: true })
    }
  })

  test('that was killed as a whole comes back with what was acknowledged', async () => {
    await using cluster = await testCluster()
    const client = await cluster.client()
    await Promise.all(Array.from({ length: 50 }, (_, at) => client.kv.put(`key ${at}`, String(at))))
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await Promise.all(cluster.nodes.map((node) => node.restart()))
    expect(await client.kv.count()).toMatchObject({ count: 50 })
  })

  test('a node that was away catches up, from the log or by a snapshot', async () => {
    await using cluster = await testCluster({ limits: { snapshotBytes: 4096, tailBytes: 1024 } })
    const leader = await cluster.waitForLeader()
    const [away] = others(cluster.nodes, leader)
    await away?.kill()
    for (let at = 0; at < 40; at++) await leader.kv.put(`key ${at}`, 'x'.repeat(500))
    await away?.restart()
    await expect.poll(() => away?.status().machines, { timeout: 10_000 }).toEqual(leader.status().machines)
    expect(away?.status().snapshotsInstalled).toBeGreaterThan(0)
  })

  test('a leader that is cut off with a minority acknowledges nothing, and follows when it is healed', async () => {
    await using cluster = await testCluster()
    const old = await cluster.waitForLeader()
    const majority = others(cluster.nodes, old)
    cluster.partition([[old], majority])
    expect(cluster.leader()).toBeUndefined()
    await expect(old.kv.put('lost', 'x', { timeout: 200 })).rejects.toBeInstanceOf(Unavailable)
    const next = await cluster.waitForLeader()
    expect(majority).toContain(next)
    expect(await next.kv.put('kept', 'y')).toMatchObject({ done: true })
    cluster.heal()
    // Its own client reaches the others again.
    const entry = await old.kv.get('kept')
    expect(entry && textOf(entry.value)).toBe('y')
  })

  test('a leader that is paused is succeeded, and learns of it when it goes on', async () => {
    await using cluster = await testCluster()
    const client = await cluster.client()
    const old = await cluster.waitForLeader()
    const { epoch } = old.status()
    old.pause()
    expect(old.state).toBe('paused')
    expect(await client.kv.put('a', 'b')).toMatchObject({ done: true })
    expect(old.status().epoch).toBe(epoch)
    expect(old.status().leading).toBe(true)
    old.resume()
    await expect.poll(() => old.status().applied).toBeGreaterThan(1)
    expect(old.status().leading).toBe(false)
  })

  test('delivers watches across leaders, each event once', async () => {
    await using cluster = await testCluster()
    const client = await cluster.client()
    const seen: string[] = []
    const watching = (async () => {
      for await (const event of client.kv.watch({ fromRevision: 1n })) {
        seen.push(event.key)
        if (seen.length === 20) return
      }
    })()
    for (let at = 0; at < 10; at++) await client.kv.put(`a${at}`, '')
    await (await cluster.waitForLeader()).kill()
    for (let at = 0; at < 10; at++) await client.kv.put(`b${at}`, '')
    await watching
    expect(seen).toEqual([...'0123456789'].map((at) => `a${at}`).concat([...'0123456789'].map((at) => `b${at}`)))
  })

  test('a lossy network slows it down and costs nothing', async () => {
    await using cluster = await testCluster({ faults: { drop: 0.05, duplicate: 0.05, reorder: 0.1 } })
    const client = await cluster.client()
    for (let at = 0; at < 20; at++) await client.kv.put('n', String(at))
    expect((await client.kv.get('n'))?.version).toBe(20)
  })

  test('takes new members, which vote once they have caught up, and lets go of old ones', async () => {
    await using cluster = await testCluster()
    const client = await cluster.client()
    await client.kv.put('before', 'x')
    const fourth = await cluster.addNode()
    expect(fourth.name).toBe('n4')
    await expect.poll(() => fourth.status().member, { timeout: 10_000 }).toBe('voter')
    const learner = await cluster.addNode({ role: 'learner' })
    await expect.poll(async () => (await learner.kv.get('before', { level: 'local' }))?.key).toBe('before')
    const leader = await cluster.waitForLeader()
    await client.membership.remove(leader.id)
    const next = await cluster.waitForLeader()
    expect(next).not.toBe(leader)
    await leader.kill()
    await expect.poll(() => client.members().map(({ name }) => name)).not.toContain(leader.name)
    const [heir] = cluster.nodes.filter((node) => ![leader, next, learner, fourth].includes(node))
    await client.membership.moveLeader(heir?.id ?? '')
    expect((await cluster.waitForLeader()).name).toBe(heir?.name)
    expect(await client.kv.put('after', 'y')).toMatchObject({ done: true })
  })

  test('spreads local reads: over members that come, none to one that is stopped, and none is lost', async () => {
    await using cluster = await testCluster({ nodes: 3 })
    const answered = new Map<string, number>()
    const turns = roundRobin<ReadTarget>()
    const client = await cluster.client({
      localReads: outlierEjection(
        {
          pick: (request, candidates) => turns.pick(request, candidates),
          settled: ({ id }, { error }) => {
            if (error === undefined) answered.set(id, (answered.get(id) ?? 0) + 1)
          },
        },
        { now: () => performance.now(), consecutiveErrors: 1, maxEjected: 0.5 },
      ),
    })
    await client.kv.put('k', 'v')
    const nodesOf = async (count: number): Promise<number> => {
      answered.clear()
      await Promise.all(Array.from({ length: count }, () => client.kv.get('k', { level: 'local' })))
      return answered.size
    }
    await vi.waitUntil(async () => (await nodesOf(30)) === 3, 10_000)
    await cluster.addNode()
    await vi.waitUntil(async () => (await nodesOf(40)) === 4, 10_000)
    const [stopped] = others(cluster.nodes, await cluster.waitForLeader())
    stopped?.pause()
    expect(await nodesOf(40)).toBe(3)
    expect(answered.get(stopped?.id ?? '')).toBeUndefined()
    stopped?.resume()
  })

  test('runs machines of its own, and applies each command once', async () => {
    await using cluster = await testCluster({ machines: () => [counter()] })
    expect(textOf(await cluster.propose('counter', bytes('40')))).toBe('40')
    const leader = await cluster.waitForLeader()
    const late = cluster.propose('counter', bytes('2'))
    await leader.kill()
    expect(textOf(await late)).toBe('42')
    expect(textOf(await cluster.read('counter', new Uint8Array()))).toBe('42')
    await leader.restart()
    await expect.poll(() => textOf(leader.query('counter', new Uint8Array()) ?? bytes('restoring'))).toBe('42')
    expect(() => leader.query('count', new Uint8Array())).toThrow(/no machine "count"; there are kv, chubby, counter/)
    await expect(cluster.propose('count', bytes('1'))).rejects.toThrow(/no machine "count"/)
  })

  test('runs services of such machines: each reign lets commands in', async () => {
    const guarded = (): StateMachine => ({ ...counter(), service: () => new Porter() })
    await using cluster = await testCluster({ machines: () => [guarded()] })
    expect(textOf(await cluster.propose('counter', bytes('40')))).toBe('40')
    await expect(cluster.propose('counter', bytes('x'))).rejects.toThrow(/the service of the machine refuses it/)
    const leader = await cluster.waitForLeader()
    const late = cluster.propose('counter', bytes('2'))
    await leader.kill()
    expect(textOf(await late)).toBe('42')
    expect(await (await cluster.client()).kv.put('beside', 'it')).toMatchObject({ done: true })
  })
})

describe('errors say what to do', () => {
  test('for a size, a name or a group that is not there', async () => {
    await expect(testCluster({ nodes: 0 })).rejects.toThrow(/1 to 9 nodes, got 0/)
    await using cluster = await testCluster({ nodes: 2 })
    expect(() => cluster.node('n3')).toThrow(/no node "n3"; there are n1, n2/)
    expect(() => cluster.partition([['n1'], ['n1', 'n2']])).toThrow(/one group at most/)
  })

  test('for a node that was killed', async () => {
    await using cluster = await testCluster()
    const [node] = cluster.nodes
    await node?.kill()
    await node?.kill()
    expect(() => node?.status()).toThrow(NodeNotRunning)
    expect(() => node?.kv).toThrow(/n1 was killed: restart\(\) it first/)
  })

  test('for a majority that is gone', async () => {
    await using cluster = await testCluster()
    const client = await cluster.client()
    await cluster.node('n1').kill()
    cluster.node('n2').pause()
    const told = await cluster.waitForLeader({ timeout: 100 }).catch((error: unknown) => error)
    expect(told).toBeInstanceOf(NoLeader)
    expect(String(told)).toMatch(/n1: killed; n2: paused; n3: /)
    await expect(client.kv.put('a', 'b', { timeout: 100 })).rejects.toBeInstanceOf(Unavailable)
    await expect(client.kv.put('a', 'b', { signal: AbortSignal.timeout(50) })).rejects.toBeInstanceOf(Aborted)
  })

  test('for a machine that throws', async () => {
    const broken = (): StateMachine => ({
      ...counter(),
      apply: () => {
        throw new Error('a bug in the machine')
      },
    })
    await using cluster = await testCluster({ nodes: 1, machines: () => [broken()] })
    await expect(cluster.propose('counter', bytes('1'), { timeout: 300 })).rejects.toThrow(
      /n1: failed, .*a bug in the machine/,
    )
    expect(cluster.node('n1').error?.message).toMatch(/a bug in the machine/)
  })
})
