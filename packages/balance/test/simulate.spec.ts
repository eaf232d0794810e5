import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Departures } from '../src/simulate/departures.ts'
import {
  InvalidWorkload,
  isPresetName,
  parseWorkload,
  presetNames,
  presets,
  type SimulationResult,
  simulate,
  type Workload,
} from '../src/simulate/index.ts'
import { Line } from '../src/simulate/line.ts'
import { traceOf } from '../src/simulate/trace.ts'

const small = {
  version: 1,
  name: 'small',
  durationMillis: 1000,
  requestsPerSecond: 100,
  servers: [{ name: 'a', concurrency: 1, service: { distribution: 'constant', meanMillis: 2 } }],
}
const of = (changed: object): Workload => parseWorkload({ ...small, ...changed })
const server = (changed: object) => ({ ...small.servers[0], ...changed })
const figuresOf = ({ strategies }: SimulationResult, name: string) => {
  const figures = strategies[name]
  if (figures === undefined) throw new Error(`no figures of ${name}`)
  return figures
}

describe('a workload', () => {
  test('has defaults, and is the same when it is read again', () => {
    const workload = of({})
    expect(workload).toMatchObject({ balancers: 1, outlierEjection: false, keys: { count: 10_000, skew: 0 } })
    expect(workload.servers[0]).toMatchObject({ count: 1, weight: 1, queue: 1000, joinsAtMillis: 0, episodes: [] })
    for (const one of [workload, ...Object.values(presets)])
      expect(parseWorkload(JSON.parse(JSON.stringify(one)))).toEqual(one)
  })

  test.each([
    [[], '', 'an object is expected, not []'],
    [{ ...small, version: 2 }, 'version', '1 is expected, not 2'],
    [{ ...small, name: 'a b' }, 'name', 'a name of 1 to 63 letters'],
    [{ ...small, speed: 1 }, 'speed', 'there is no such field; known are version, name'],
    [{ ...small, durationMillis: 0 }, 'durationMillis', 'a number from 1 to 3600000 is expected, not 0'],
    [{ ...small, requestsPerSecond: '9' }, 'requestsPerSecond', 'a number from 0.001 to 1000000 is expected, not "9"'],
    [{ ...small, durationMillis: 1e6, requestsPerSecond: 1e4 }, 'requestsPerSecond', 'that makes 10000000 requests'],
    [{ ...small, balancers: 1.5 }, 'balancers', 'a whole number from 1 to 100 is expected, not 1.5'],
    [{ ...small, outlierEjection: 1 }, 'outlierEjection', 'true or false is expected, not 1'],
    [{ ...small, keys: { count: 0 } }, 'keys.count', 'a whole number from 1'],
    [{ ...small, keys: { count: 5, skew: -1 } }, 'keys.skew', 'a number from 0 to 10'],
    [{ ...small, servers: undefined }, 'servers', 'a list is expected, not nothing'],
    [{ ...small, servers: [] }, 'servers', 'at least one is expected'],
    [{ ...small, servers: [server({}), server({ concurrency: 'x' })] }, 'servers[1].concurrency', 'not "x"'],
    [{ ...small, servers: [server({}), server({})] }, 'servers[1].name', 'there is another server "a"'],
    [{ ...small, servers: [server({ count: 3 }), server({ name: 'a-2' })] }, 'servers[1].name', '"a-2"'],
    [
      { ...small, servers: [server({ count: 999 }), server({ name: 'b', count: 2 })] },
      'servers',
      'together they are 1001',
    ],
    [{ ...small, servers: [server({ joinsAtMillis: 1000 })] }, 'servers[0].joinsAtMillis', 'it ends at 1000'],
    [{ ...small, servers: [server({ joinsAtMillis: 9, leavesAtMillis: 9 })] }, 'servers[0].leavesAtMillis', 'after'],
    [{ ...small, servers: [server({ service: 'fast' })] }, 'servers[0].service', 'an object is expected, not "fast"'],
    [
      { ...small, servers: [server({ service: { distribution: 'gauss', meanMillis: 1 } })] },
      'servers[0].service.distribution',
      'one of constant, exponential, lognormal is expected, not "gauss"',
    ],
    [
      { ...small, servers: [server({ service: { distribution: 'constant', meanMillis: 1, sigma: 1 } })] },
      'servers[0].service.sigma',
      'a constant service time has none',
    ],
    [
      { ...small, servers: [server({ episodes: [{ fromMillis: 5, toMillis: 5 }] })] },
      'servers[0].episodes[0].toMillis',
      'a time after fromMillis (5) is expected, not 5',
    ],
    [
      { ...small, servers: [server({ episodes: [{ fromMillis: 5, toMillis: 6, errorRate: 2 }] })] },
      'servers[0].episodes[0].errorRate',
      'a number from 0 to 1 is expected, not 2',
    ],
  ])('is refused with the path of the field that is wrong: %#', (value, path, message) => {
    try {
      parseWorkload(value)
    } catch (error) {
      if (!(error instanceof InvalidWorkload)) throw error
      expect(error).toMatchObject({ code: 'invalid-workload', path })
      expect(error.message).toContain(message)
      expect(error.message.startsWith(path)).toBe(true)
      return
    }
    throw new Error('it was taken')
  })

  test('whatever comes is refused in words or taken', () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...Object.keys(small)), (value, field) => {
        try {
          parseWorkload({ ...small, [field]: value })
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidWorkload)
        }
      }),
      { seed: 1, numRuns: 1000 },
    )
  })
})

describe('a trace', () => {
  test('is a Poisson process of the rate that is asked for', () => {
    const { count, arrivals } = traceOf(of({ durationMillis: 100_000, requestsPerSecond: 500 }), 1)
    // Four standard deviations of a Poisson number.
    expect(Math.abs(count - 50_000)).toBeLessThan(4 * Math.sqrt(50_000))
    const gaps = arrivals.slice(1).map((time, at) => time - (arrivals[at] ?? 0))
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
    expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1)
  })

  test("has keys by Zipf's law", () => {
    const { keys, count } = traceOf(
      of({ durationMillis: 100_000, requestsPerSecond: 500, keys: { count: 100, skew: 1 } }),
      1,
    )
    const part = (key: number): number => keys.filter((one) => one === key).length / count
    const harmonic = Array.from({ length: 100 }, (_, at) => 1 / (at + 1)).reduce((sum, one) => sum + one, 0)
    for (const key of [0, 1, 9]) expect(Math.abs(part(key) * harmonic * (key + 1) - 1)).toBeLessThan(0.1)
  })
})

describe('queues', () => {
  test('departures come in the order of their times, equal ones in the order in which they were added', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20 })), (times) => {
        const departures = new Departures()
        for (const [request, time] of times.entries()) departures.add({ time, request, server: 0, failed: false })
        const expected = [...times.keys()].sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b)
        expect(expected.map(() => departures.take()?.request)).toEqual(expected)
        expect([departures.take(), departures.next]).toEqual([undefined, Number.POSITIVE_INFINITY])
      }),
      { seed: 1 },
    )
  })

  test('a line is first in, first out', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), (pushes) => {
        const [line, model]: [Line, number[]] = [new Line(), []]
        for (const [at, push] of pushes.entries()) {
          if (push) {
            line.push(at)
            model.push(at)
          } else expect(line.shift()).toBe(model.shift())
          expect(line.length).toBe(model.length)
        }
      }),
      { seed: 1 },
    )
  })
})

describe('a simulation', () => {
  test('of random picks has the waiting times of queueing theory (Erlang C)', () => {
    const [servers, concurrency, meanMillis, perSecond] = [10, 4, 10, 2800]
    const workload = of({
      durationMillis: 200_000,
      requestsPerSecond: perSecond,
      servers: [{ name: 's', count: servers, concurrency, service: { distribution: 'exponential', meanMillis } }],
    })
    const offered = (perSecond / servers) * (meanMillis / 1000)
    const term = (k: number): number =>
      offered ** k / Array.from({ length: k }, (_, at) => at + 1).reduce((a, b) => a * b, 1)
    const last = (term(concurrency) * concurrency) / (concurrency - offered)
    const waits = last / (Array.from({ length: concurrency }, (_, k) => term(k)).reduce((a, b) => a + b, 0) + last)
    const expected = meanMillis + (waits * meanMillis) / (concurrency - offered)
    const { latencyMillis, errors } = figuresOf(simulate(workload, { strategies: ['random'] }), 'random')
    expect(errors).toBe(0)
    expect(Math.abs((latencyMillis?.mean ?? 0) / expected - 1)).toBeLessThan(0.02)
  })

  test.each([
    ['constant', {}],
    ['exponential', {}],
    ['lognormal', { sigma: 1 }],
  ])('a %s service time has the mean that is asked for', (distribution, more) => {
    const workload = of({
      durationMillis: 100_000,
      requestsPerSecond: 200,
      servers: [server({ concurrency: 1000, service: { distribution, meanMillis: 7, ...more } })],
    })
    const { latencyMillis } = figuresOf(simulate(workload, { strategies: ['random'] }), 'random')
    expect(Math.abs((latencyMillis?.mean ?? 0) / 7 - 1)).toBeLessThan(0.03)
  })

  test('is the same for the same seed, another one for another, and JSON', () => {
    const asked = { strategies: ['p2c', 'maglev'] } as const
    const one = simulate(presets.churn, { ...asked, seed: 7 })
    expect(simulate(presets.churn, { ...asked, seed: 7 })).toEqual(one)
    expect(simulate(presets.churn, { ...asked, seed: 8 })).not.toEqual(one)
    expect(JSON.parse(JSON.stringify(one))).toEqual(one)
    // A strategy has the same figures whoever else is asked for.
    expect(simulate(presets.churn, { strategies: ['maglev'], seed: 7 }).strategies.maglev).toEqual(
      one.strategies.maglev,
    )
  })

  test('every request is counted once: at a server, in a slice, as an error or with a latency', () => {
    for (const name of presetNames) {
      const result = simulate(presets[name], { strategies: ['round-robin', 'ring-hash'] })
      for (const { servers, series, errors } of Object.values(result.strategies)) {
        const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)
        expect(sum(servers.map(({ requests }) => requests))).toBe(result.requests)
        expect(sum(series.map(({ requests }) => requests))).toBe(result.requests)
        expect(sum(servers.map((one) => one.errors))).toBe(errors)
        expect(sum(series.map((one) => one.errors))).toBe(errors)
      }
    }
  })

  test('a full queue is an error, and nobody to pick as well', () => {
    const full = of({
      requestsPerSecond: 1000,
      servers: [server({ queue: 2, service: { distribution: 'constant', meanMillis: 100 } })],
    })
    const figures = figuresOf(simulate(full, { strategies: ['p2c'] }), 'p2c')
    expect(figures.latencyMillis?.most).toBeLessThanOrEqual(300)
    expect(figures.errors).toBeGreaterThan(900)
    const gone = of({ servers: [server({ leavesAtMillis: 500 })] })
    const { errors, servers } = figuresOf(simulate(gone, { strategies: ['random'] }), 'random')
    expect(errors).toBeGreaterThan(20)
    expect(servers[0]?.errors).toBe(0)
  })

  test('strategies that look at load get around a slow server, others do not', () => {
    const result = simulate(presets['one-slow'])
    const p99 = (name: string): number => figuresOf(result, name).latencyMillis?.p99 ?? 0
    for (const name of ['least-requests', 'p2c', 'peak-ewma', 'bounded-load']) expect(p99(name)).toBeLessThan(100)
    for (const name of ['random', 'round-robin', 'ring-hash', 'maglev', 'rendezvous'])
      expect(p99(name)).toBeGreaterThan(1000)
  })

  test('a server that fails fast draws load to it, unless outliers are ejected', () => {
    const errors = (workload: Workload, name: 'random' | 'least-requests'): number =>
      figuresOf(simulate(workload, { strategies: [name] }), name).errors
    const failing = presets['one-failing']
    expect(errors(failing, 'least-requests')).toBeGreaterThan(1.5 * errors(failing, 'random'))
    expect(errors({ ...failing, outlierEjection: true }, 'least-requests')).toBeLessThan(50)
  })

  test('disruption: a ring and rendezvous move what they must, maglev hardly more, and who knows no keys has none', () => {
    const result = simulate(presets.churn)
    for (const name of ['ring-hash', 'rendezvous', 'bounded-load']) {
      const { moved = 0, needed = 0, changes } = figuresOf(result, name).disruption ?? {}
      expect([changes, moved > 0.08 && moved < 0.12, moved]).toEqual([2, true, needed])
    }
    const { moved = 0, needed = 0 } = figuresOf(result, 'maglev').disruption ?? {}
    expect(moved).toBeGreaterThan(needed)
    expect(moved - needed).toBeLessThan(0.02)
    expect(figuresOf(result, 'p2c').disruption).toBeNull()
    expect(figuresOf(simulate(presets.uniform, { strategies: ['maglev'] }), 'maglev').disruption).toBeNull()
  })

  test('a server counts for its load only while it is there', () => {
    const { servers } = figuresOf(simulate(presets.churn, { strategies: ['smooth-weighted'] }), 'smooth-weighted')
    const [steady = 0, leaving = 0, joining = 0] = ['server-1', 'leaving', 'joining'].map(
      (id) => servers.find((one) => one.id === id)?.load,
    )
    for (const load of [leaving, joining]) expect(Math.abs(load / steady - 1)).toBeLessThan(0.15)
  })

  test('seeds that are none are refused', () => {
    for (const seed of [-1, 0.5, 1_000_001])
      expect(() => simulate(presets.uniform, { seed })).toThrow(/seed is a whole/)
  })
})

test('presets go by their names', () => {
  expect(presetNames).toEqual(['uniform', 'heterogeneous', 'one-slow', 'one-failing', 'skewed-keys', 'churn'])
  expect(presetNames.map((name) => presets[name].name)).toEqual(presetNames)
  expect([isPresetName('churn'), isPresetName('toString')]).toEqual([true, false])
})
