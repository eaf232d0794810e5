/** One mistake each in the present source: the storms must notice, or they show nothing. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { EngineFactory } from '@conclave/interface'
import { afterAll, describe, expect, it } from 'vitest'
import { World } from './torture-world.ts'

interface Fixture {
  readonly name: string
  readonly file: string
  /** Stands exactly once in that file. */
  readonly find: string
  readonly replace: string
  /** Members come and go: without that the mistake has no effect. */
  readonly changing?: true
}

const fixtures: readonly Fixture[] = [
  {
    name: 'a promise omits what is decided',
    file: 'election.ts',
    find: 'for (let slot = cursor; slot <= log.top; slot++) {',
    replace: 'for (let slot = Math.max(cursor, paxos.decided + 1); slot <= log.top; slot++) {',
  },
  {
    name: 'the value of the lowest ballot is adopted',
    file: 'election.ts',
    find: 'compareBallots(ballot, before.ballot) > 0',
    replace: 'compareBallots(ballot, before.ballot) < 0',
  },
  {
    name: 'an incomplete promise counts',
    file: 'election.ts',
    find: 'promised.complete = message.next === 0',
    replace: 'promised.complete = true',
  },
  {
    name: 'an acceptor that lacks what it would have to report promises',
    file: 'election.ts',
    find: 'if (message.from <= paxos.log.base || cursor < message.from) return',
    replace: '',
  },
  {
    name: 'an acceptance is told before it is on disk',
    file: 'roles/acceptor.ts',
    find: "paxos.sendDurable(from, { type: 'accepted'",
    replace: "paxos.sendEarly(from, { type: 'accepted'",
  },
  {
    name: 'the leader counts itself before its write is durable',
    file: 'replication.ts',
    find: '{ votes: new Set(), chosen: false }',
    replace: '{ votes: new Set([paxos.self]), chosen: false }',
  },
  {
    name: 'a watermark delivers what was accepted in any ballot',
    file: 'delivery.ts',
    find: 'slot <= decided && sameBallot(accepted.ballot, paxos.promised)',
    replace: 'slot <= decided',
  },
  {
    name: 'reads before the reign is open',
    file: 'reads.ts',
    find: 'if (tenure.readsWaiting.length === 0 || !sameBallot(paxos.reign, role.ballot)) return',
    replace: 'if (tenure.readsWaiting.length === 0) return',
  },
  {
    name: 'a restart takes the slots of two configurations for those of one',
    file: 'state.ts',
    find: 'while (this.decided < meta.decided) {',
    replace: 'while (this.decided < 0) {',
    changing: true,
  },
]

const source = fileURLToPath(new URL('../src/', import.meta.url))
const workshop = fileURLToPath(new URL(`../.broken/${process.pid}/`, import.meta.url))
afterAll(() => rmSync(workshop, { recursive: true, force: true }))

/** A copy of the present source with the mistake in it. An edit that fits no more is an error, never a fixture that tests nothing. */
const broken = async ({ name, file, find, replace }: Fixture): Promise<EngineFactory> => {
  const copy = join(workshop, name.replaceAll(' ', '-'))
  cpSync(source, copy, { recursive: true })
  const parts = readFileSync(join(copy, file), 'utf8').split(find)
  expect(parts, `${JSON.stringify(find)} in ${file}`).toHaveLength(2)
  writeFileSync(join(copy, file), parts.join(replace))
  const module: { paxos: EngineFactory } = await import(/* @vite-ignore */ pathToFileURL(join(copy, 'index.ts')).href)
  return module.paxos
}

/** Seeds within which each is noticed. */
const most = 120

const storm = (seed: number, factory: EngineFactory, changing: boolean): void => {
  const world = new World({ seed, servers: 3, changing, leases: true, factory })
  for (let i = 0; i < 8_000; i++) world.step()
}

describe('a storm notices', () => {
  for (const fixture of fixtures)
    it(fixture.name, { timeout: 120_000 }, async () => {
      const factory = await broken(fixture)
      const noticed = () => {
        for (let seed = 1; seed <= most; seed++) storm(seed, factory, fixture.changing === true)
      }
      expect(noticed).toThrow(/./)
    })
})
