import { describe, expect, test } from 'vitest'
import { type MachineSubject, machineCompliance } from '../src/machine.ts'
import { type MachineFault, machineFaults, Registers, registerCommand } from './registers.ts'

const subject = (fault?: MachineFault): MachineSubject => ({
  name: fault ?? 'registers',
  machine: () => new Registers(fault),
  command: ({ next }) =>
    registerCommand(Math.floor(next() * 10), new Uint8Array(Math.floor(next() * 32)).fill(next() * 256)),
  query: ({ next }) => Uint8Array.of(Math.floor(next() * 10)),
  watch: Uint8Array.of(7),
  ask: ({ next }) => Uint8Array.of(Math.floor(next() * 10), 1, 2, 3),
  malformed: [new Uint8Array(), Uint8Array.of(10), new Uint8Array(40)],
  seeds: 1,
})

machineCompliance(subject()).register({ describe, test })

/** What the suite finds in each: the beginning of a test's name. */
const found: Readonly<Record<MachineFault, string>> = {
  'reads the clock': 'no clock',
  'keeps a view of the command': 'apply: the command is a view',
  'throws at a malformed command': 'apply: a malformed command never throws',
  'applies half of a malformed command': 'apply: a malformed command has no effect',
  'hashes in order of insertion': 'capture and restore give an equal state',
  'counts its queries': 'query: answers without effect',
  'captures what it goes on changing': 'capture: the body shows the state at the time',
  'forgets a part of the state in its snapshot': 'replay equals snapshot and restore',
  'restores half of a malformed body': 'restore: all or nothing',
  'adds the restored state to its own': 'restore: replaces the whole state',
  'throws at a malformed body what it likes': 'restore: all or nothing',
  'tells events twice': 'poll: events since the last call',
  'has a service that writes': 'service: it reads the state',
  'has a service that throws at what it cannot read': 'service: two that are stepped alike',
  'has a service that leaves out an answer': 'service: a request that nobody can read',
  'has a service that answers twice': 'service: two that are stepped alike',
  'has a service that answers whom it has forgotten': 'service: two that are stepped alike',
  'has a service that draws lots': 'service: two that are stepped alike',
  'has a service that lets malformed commands wait': 'service: a malformed command',
}

describe('the suite of machines', () => {
  test.each(machineFaults)('catches a machine that %s', async (fault) => {
    const caught = (name: string): boolean => name.startsWith(found[fault])
    expect(await machineCompliance(subject(fault)).run(caught)).toHaveLength(1)
  })

  test('leaves out what a machine does not offer, and says why', async () => {
    const machine = () => {
      const without = { value: undefined }
      return Object.defineProperties(new Registers(), { watch: without, service: without })
    }
    const { query: _, watch: __, malformed: ___, ask: ____, ...bare } = subject()
    const suite = machineCompliance({ ...bare, machine })
    expect(await suite.run()).toEqual([])
    expect(suite.report()).toMatch(/^the machine registers: \d+ passed, 0 failed, 11 skipped, 0 not run; seed 1 /)
    expect(suite.report()).toContain(
      'skipped: poll: reading feeds has no effect on the state: the machine has no feeds',
    )
    expect(suite.report()).toContain('skipped: service: it reads the state, and never changes it: the machine has no')
    expect(suite.report()).toMatch(/apply: a malformed command has no effect: the subject names no malformed commands/)
  })
})
