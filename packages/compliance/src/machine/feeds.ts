import assert from 'node:assert/strict'
import { drawOf, hex, mangled, sameBytes } from '../draw.ts'
import { eachSeed, type SuiteTest } from '../suite.ts'
import { captured, pieces, stepsOf, take, takeAll } from './life.ts'
import type { MachineSubject } from './subject.ts'

/** Bytes that one event may have beyond what was asked for. */
const slack = 4 * 1024 * 1024
const mostPolls = 100_000

/** What a feed tells until it has nothing new. */
const drained = (poll: (mostBytes: number) => Uint8Array | undefined, mostBytes: number): Uint8Array[] => {
  const told: Uint8Array[] = []
  for (let polls = 0; ; polls++) {
    assert.ok(
      polls < mostPolls,
      `a feed told ${mostPolls} times that there is something new, though nothing was applied`,
    )
    const events = poll(mostBytes)
    if (events === undefined) return told
    assert.ok(events.length <= mostBytes + slack, `a poll for ${mostBytes} bytes gave ${events.length}`)
    told.push(new Uint8Array(events))
  }
}

export const feeds = (subject: MachineSubject, seeds: readonly number[]): readonly SuiteTest[] => {
  const missing =
    subject.machine().watch === undefined
      ? 'the machine has no feeds'
      : subject.watch === undefined
        ? 'the subject names no request for a feed (option watch)'
        : undefined
  const request = subject.watch ?? new Uint8Array()
  const open = (machine: ReturnType<MachineSubject['machine']>) =>
    machine.watch?.(new Uint8Array(request)) ?? assert.fail(`watch(${hex(request)}) gave no feed`)
  const perSeed = (name: string, body: (seed: number) => Promise<void> | void): SuiteTest => ({
    name,
    ...(missing !== undefined && { skipped: missing }),
    run: () => eachSeed(seeds, body),
  })
  return [
    perSeed('poll: events since the last call, oldest first; undefined if there is nothing new', (seed) => {
      const machine = subject.machine()
      const feed = open(machine)
      let told = 0
      for (const step of stepsOf(subject, seed, 100)) {
        take(machine, step)
        told += drained((most) => feed.poll(most), 64 * 1024).length
        assert.equal(feed.poll(1024), undefined, 'what was told is told again')
      }
      assert.ok(told > 0, 'nothing was told of 100 commands')
      feed.close()
    }),
    perSeed('poll: a feed is a cursor: two that are polled alike tell alike, whatever others do', (seed) => {
      const [one, other] = [subject.machine(), subject.machine()]
      const [feed, twin, idle] = [open(one), open(other), open(one)]
      const draw = drawOf(seed)
      for (const step of stepsOf(subject, seed, 200)) {
        take(one, step)
        take(other, step)
        if (!draw.chance(0.3)) continue
        const most = 1 + draw.below(2000)
        const [left, right] = [feed.poll(most), twin.poll(most)]
        assert.ok(sameBytes(left, right), `two feeds told ${hex(left)} and ${hex(right)}`)
      }
      const [left, right] = [drained((most) => feed.poll(most), 500), drained((most) => twin.poll(most), 500)]
      assert.deepEqual(left, right)
      assert.ok(
        drained((most) => idle.poll(most), 1 << 20).length > 0,
        'a feed that was never polled has nothing to tell',
      )
      for (const each of [feed, twin, idle]) each.close()
    }),
    perSeed('poll: reading feeds has no effect on the state', (seed) => {
      const [watched, alone] = [subject.machine(), subject.machine()]
      const feed = open(watched)
      for (const step of stepsOf(subject, seed, 100)) {
        take(watched, step)
        take(alone, step)
        feed.poll(100)
        assert.equal(watched.hash(), alone.hash())
      }
      feed.close()
    }),
    perSeed('poll: goes on through a restore without a throw', async (seed) => {
      const [steps, machine] = [stepsOf(subject, seed, 200), subject.machine()]
      takeAll(machine, steps.slice(0, 50))
      const feed = open(machine)
      feed.poll(100)
      const ahead = subject.machine()
      takeAll(ahead, steps.slice(0, 150))
      await machine.restore(pieces(await captured(ahead), 4096))
      takeAll(machine, steps.slice(150))
      assert.ok(drained((most) => feed.poll(most), 64 * 1024).length > 0, 'nothing was told after the restore')
      feed.close()
    }),
    perSeed('watch: undefined if the request is malformed, never a throw', (seed) => {
      const [machine, draw] = [subject.machine(), drawOf(seed)]
      takeAll(machine, stepsOf(subject, seed, 20))
      const hash = machine.hash()
      for (let at = 0; at < 200; at++) machine.watch?.(mangled(draw, request))?.close()
      assert.equal(machine.hash(), hash)
    }),
  ]
}
