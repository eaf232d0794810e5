import assert from 'node:assert/strict'
import type { Epoch, LogTime, Monotonic, Position, Service, ServiceEffects, ServiceInput } from '@conclave/interface'
import { type Draw, drawOf, hex, mangled } from '../draw.ts'
import { withoutWorld } from '../purity.ts'
import { eachSeed, type SuiteTest } from '../suite.ts'
import { stepsOf } from './life.ts'
import type { MachineSubject } from './subject.ts'

/** Steps of a life; several inputs each. */
const long = 200

/**
 * A machine with its service, led through a life as a replica would: commands are let in before they are applied, reigns come and go, calls are made and withdrawn. Beside it a
 * machine without a service, and what the service owes.
 */
class ServedLife {
  readonly machine
  readonly alone
  readonly service: Service
  readonly effects: ServiceEffects[] = []
  /** Calls that are not answered. Those that were withdrawn may be, all the same: the answer was on its way. */
  readonly calls = new Set<number>()
  readonly withdrawn = new Set<number>()
  /** Commands that are not let in. */
  readonly admissions = new Map<number, Uint8Array>()
  readonly #draw: Draw
  #reign: Epoch | undefined
  #now = 0
  #next = 1
  #round = 0
  #position = 0
  #time = 0 as LogTime
  #epoch = 0n as Epoch

  constructor(subject: MachineSubject, draw: Draw) {
    this.machine = subject.machine()
    this.alone = subject.machine()
    this.service = this.machine.service?.() ?? assert.fail('the machine has no service any more')
    this.#draw = draw
  }

  get reigns(): boolean {
    return this.#reign !== undefined
  }

  input(input: ServiceInput): void {
    this.#now += this.#draw.chance(0.02) ? 60_000 : this.#draw.below(60)
    withoutWorld('a service', () => this.service.step(input, this.#now as Monotonic))
    if (this.#draw.chance(0.8)) this.drain()
  }

  drain(): void {
    const effects = withoutWorld('a service', () => this.service.drain())
    this.effects.push(effects)
    for (const { call } of effects.answers)
      assert.ok(this.calls.delete(call) || this.withdrawn.delete(call), `call ${call} was answered again, or too late`)
    for (const { admission, refused } of effects.admitted) this.#admitted(admission, refused !== undefined)
    if (effects.confirm === undefined) return
    assert.ok(effects.confirm > this.#round, `round ${effects.confirm} was asked for after round ${this.#round}`)
    this.#round = effects.confirm
    if (this.reigns && this.#draw.chance(0.9))
      this.input({ type: 'confirmed', round: this.#round, reigns: this.#draw.chance(0.9) })
  }

  #admitted(admission: number, refused: boolean): void {
    const command = this.admissions.get(admission)
    assert.ok(command !== undefined, `command ${admission} was let in or refused, which does not wait`)
    this.admissions.delete(admission)
    if (refused || !this.reigns) return
    const outcome = (['applied', 'applied', 'applied', 'refused', 'unknown'] as const)[this.#draw.below(5)] ?? 'applied'
    if (outcome !== 'refused') this.apply(command)
    this.input({ type: 'settled', admission, outcome })
  }

  apply(command: Uint8Array): void {
    const context = { position: ++this.#position as Position, time: this.#time, epoch: this.#epoch }
    for (const machine of [this.machine, this.alone]) machine.apply(new Uint8Array(command), context)
    this.input({ type: 'applied' })
  }

  pass(time: LogTime): void {
    this.#time = time
    this.input({ type: 'tick' })
  }

  reign(epoch: Epoch, ours: boolean): void {
    this.depose()
    this.#epoch = epoch
    const position = ++this.#position as Position
    for (const machine of [this.machine, this.alone]) machine.reign?.(epoch, 'node 0' as never, position)
    if (!ours) return
    this.#reign = epoch
    this.input({ type: 'reigns', epoch })
  }

  /** What it said before it heard of it may be drained afterwards, and has no effect. */
  depose(): void {
    if (!this.reigns) return
    this.#reign = undefined
    this.input({ type: 'deposed' })
    this.drain()
    this.#round = 0
    this.calls.clear()
    this.withdrawn.clear()
    this.admissions.clear()
  }

  /** @returns the call. */
  ask(principal: string, request: Uint8Array): number {
    const call = this.#next++
    this.calls.add(call)
    this.input({ type: 'ask', call, principal, request })
    return call
  }

  withdraw(): void {
    for (const call of this.calls) {
      this.calls.delete(call)
      this.withdrawn.add(call)
      return this.input({ type: 'withdrawn', call })
    }
  }

  /** @returns the admission. */
  admit(principal: string, command: Uint8Array): number {
    const admission = this.#next++
    this.admissions.set(admission, command)
    this.input({ type: 'admit', admission, principal, command })
    return admission
  }
}

/** One life of a seed: the same each time. */
const lived = (subject: MachineSubject, seed: number, look: (life: ServedLife) => void = () => {}): ServedLife => {
  const draw = drawOf(seed)
  const life = new ServedLife(subject, draw)
  const principal = (): string => `client ${draw.below(3)}`
  for (const step of stepsOf(subject, seed, long)) {
    if (step.type === 'reign') life.reign(step.epoch, draw.chance(0.8))
    else {
      life.pass(step.context.time)
      const command = draw.chance(0.1) ? mangled(draw, step.command) : step.command
      if (life.reigns && draw.chance(0.6)) life.admit(principal(), command)
      else life.apply(command)
      const request = subject.ask?.(draw) ?? draw.bytes(draw.below(40))
      life.ask(principal(), draw.chance(0.2) ? mangled(draw, request) : request)
      if (draw.chance(0.2)) life.withdraw()
    }
    look(life)
  }
  life.depose()
  return life
}

export const services = (subject: MachineSubject, seeds: readonly number[]): readonly SuiteTest[] => {
  const missing = subject.machine().service === undefined ? 'the machine has no service' : undefined
  const unknown = subject.malformed === undefined ? 'the subject names no malformed commands' : undefined
  const perSeed = (name: string, skipped: string | undefined, body: (seed: number) => void): SuiteTest => ({
    name,
    ...(skipped !== undefined && { skipped }),
    run: () => eachSeed(seeds, body),
  })
  return [
    perSeed('service: it reads the state, and never changes it', missing, (seed) => {
      lived(subject, seed, ({ machine, alone }) => assert.equal(machine.hash(), alone.hash()))
    }),
    perSeed(
      'service: two that are stepped alike do alike; no clock, no timer, no randomness is used, and nothing is thrown',
      missing,
      (seed) => assert.deepEqual(lived(subject, seed).effects, lived(subject, seed).effects),
    ),
    perSeed('service: a request that nobody can read is answered or refused', missing, (seed) => {
      const draw = drawOf(seed)
      const life = new ServedLife(subject, draw)
      for (const reign of [1n, 2n]) {
        for (let at = 0; at < 50; at++) {
          const request = draw.bytes(draw.below(3))
          const call = life.ask('client', request)
          life.drain()
          assert.ok(!life.calls.has(call), `${hex(request)} was not answered`)
        }
        life.reign(reign as Epoch, true)
      }
    }),
    perSeed('service: a malformed command is let in or refused at once', missing ?? unknown, (seed) => {
      const life = new ServedLife(subject, drawOf(seed))
      life.reign(1n as Epoch, true)
      for (const command of subject.malformed ?? []) {
        const admission = life.admit('client', command)
        life.drain()
        assert.ok(!life.admissions.has(admission), `${hex(command)} waits`)
      }
    }),
  ]
}
