/**
 * A lock service of three nodes, in the words of the paper (Burrows, "The Chubby lock service for loosely-coupled distributed systems", OSDI 2006): its name space, a small file that clients
 * cache, a lock, the death of the master, and that of a client.
 *
 *   npx node examples/chubby/chubby.ts
 */
import type { FileEvent, Handle, Session } from '@conclave/client'
import { testCluster } from '@conclave/testing'

const chapter = (title: string): void => console.log(`\n${title}\n`)
const tell = (who: string, what: string, meaning = ''): void =>
  console.log(`${who.padEnd(9)}${what.padEnd(meaning === '' ? 0 : 44)}${meaning}`)

await using cluster = await testCluster({ nodes: 3 })
const master = await cluster.waitForLeader()
// Alice lives in the process of a node, and stops with it.
const home = cluster.nodes.find((node) => node !== master) ?? master
const a = await home.client.session({ ttl: '2s' })
const b = await (await cluster.client()).session({ ttl: '2s' })

/** What was told so far, in order. */
const eventsOf = (handle: Handle): FileEvent[] => {
  const seen: FileEvent[] = []
  void (async () => {
    for await (const event of handle.events()) seen.push(event)
  })()
  return seen
}
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}
const waiters = async (session: Session, path: string): Promise<number> => (await session.stat(path))?.lock.waiters ?? 0

chapter('Files, directories, and handles (section 2.2)')
await a.mkdir('/ls/local/service')
tell('alice', 'makes /ls/local/service', 'ls: lock service; local: the cell of this cluster')
await a.write('/ls/local/service/config', 'replicas: 3')
const { path, instance, contentGeneration } = (await a.stat('/ls/local/service/config')) ?? {}
tell('alice', 'writes config', 'files are small, and read and written whole')
tell('', `${path}`, `instance ${instance}, content generation ${contentGeneration}`)

chapter('Events and caching (sections 2.5 and 2.7)')
await using config = await b.open('/ls/local/service/config', { events: ['contents'] })
const events = eventsOf(config)
tell('bob', `reads "${(await b.read(config.path))?.text}"`, 'from now on it is in his cache')
await a.write('/ls/local/service/config', 'replicas: 5')
tell('alice', 'writes config', 'done once bob has dropped what he had')
tell('bob', `reads "${(await b.read(config.path))?.text}"`, 'so that a cached read is never old')
await until(() => events.length > 0)
tell('bob', `is told: ${events[0]?.type}`, 'an event says that something changed, not to what')
const late = await b.write(config.path, 'replicas: 4', { ifGeneration: 1n }).catch((error: Error) => error.message)
tell('bob', `writes, if it is generation 1: ${late}`)

chapter('Locks and sequencers (section 2.4)')
const first = await a.lock('/ls/local/service/primary', { lockDelay: '500ms' })
tell('alice', `holds primary, token ${first.token}`, 'the token rises with every grant in the cell')
const waiting = b.lock('/ls/local/service/primary')
await until(async () => (await waiters(a, first.path)) === 1)
tell('bob', 'waits in line', 'first come, first served')
const { sequencer } = first
tell('server', `is alice the holder? ${await b.checkSequencer(sequencer)}`, 'asked with the sequencer that she showed')

chapter('Fail-overs (section 2.9)')
const before = events.length
await master.kill()
tell('', 'the master dies')
await until(() => events.slice(before).some(({ type }) => type === 'failedOver'))
tell('bob', 'is told: failedOver', 'his cache is empty; he looks at his handles anew')
tell('alice', `holds primary: ${first.held}`, 'sessions, locks and lines are in the log')
tell('bob', `waits in line: ${(await waiters(a, first.path)) === 1}`)
await master.restart()

chapter('A client is gone (sections 2.4 and 2.8)')
await a.open('/ls/local/service/alice', { create: 'new', ephemeral: true })
tell('alice', 'makes an ephemeral file', 'it is there for as long as her session')
const { token } = first
home.pause()
tell('', 'alice is stopped', 'no KeepAlive comes: her lease runs out, and then the lock-delay')
const second = await waiting
tell('bob', `holds primary, token ${second.token}`, `higher than ${token}: what has seen it refuses alice`)
tell('server', `is alice the holder? ${await b.checkSequencer(sequencer)}`)
tell('bob', `finds her file: ${(await b.stat('/ls/local/service/alice')) !== undefined}`)
home.resume()
await until(() => a.state === 'expired')
tell('alice', `goes on, and holds primary: ${first.held}`, 'her clock has told her, before anybody else could')
