import { describe, expect, test } from 'vitest'
import { optionsOf, UsageError } from '../src/options.ts'

describe('options', () => {
  test('have defaults, and a seed of chance', () => {
    expect(optionsOf([])).toMatchObject({
      engine: 'raft',
      minutes: 10,
      nodes: 5,
      workers: 12,
      boundMillis: 20_000,
      faults: undefined,
    })
    expect(optionsOf([]).seed).toBeGreaterThanOrEqual(0)
  })

  test('are read', () => {
    const args = [
      '--engine',
      'paxos',
      '--minutes',
      '0.5',
      '--seed',
      '7',
      '--nodes',
      '3',
      '--faults',
      'kill,drop',
      '--leases',
      '--bound',
      '5',
    ]
    expect(optionsOf(args)).toMatchObject({
      engine: 'paxos',
      minutes: 0.5,
      seed: 7,
      nodes: 3,
      faults: ['kill', 'drop'],
      leases: true,
      boundMillis: 5000,
    })
  })

  test.each([
    ['--engine', 'vsr'],
    ['--minutes', '0'],
    ['--minutes', 'ten'],
    ['--minutes', ''],
    ['--seed', '1.5'],
    ['--seed=-1'],
    ['--nodes', '4'],
    ['--mode', 'docker'],
    ['--disks', 'floppy'],
    ['--faults', 'kill,flood'],
    ['--workers', '0'],
    ['--bound', 'x'],
    ['--unheard-of'],
  ])('%s %s is refused', (...args) => {
    expect(() => optionsOf(args)).toThrow(UsageError)
  })
})
