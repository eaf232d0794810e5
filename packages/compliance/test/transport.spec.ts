import { describe, expect, test } from 'vitest'
import { transportCompliance } from '../src/transport.ts'
import { brokenTransports, memorySubject } from './broken-transports.ts'

describe('the suite of transports', () => {
  test('finds nothing in a transport that keeps its promises', async () => {
    const suite = await transportCompliance(memorySubject('memory', (transport) => transport))
    expect(await suite.run()).toEqual([])
    expect(suite.report()).toMatch(/^the transport memory: 25 passed, 0 failed, 0 skipped, 0 not run; seed 1 /)
  })

  test.each(Object.entries(brokenTransports))('catches a transport that %s', async (name, { found, breaks }) => {
    const suite = await transportCompliance({ ...memorySubject(name, breaks), patienceMillis: 2500 })
    expect(await suite.run((one) => one.startsWith(found))).toHaveLength(1)
  })

  test('says what it could not test', async () => {
    const { queueBytes: _, transferMillis: __, ...bare } = memorySubject('bare', (transport) => transport)
    const suite = await transportCompliance(bare)
    expect(suite.report()).toMatch(
      /skipped: peer lost: .*: the subject names no bound of its queue \(option queueBytes\)/,
    )
    expect(suite.report()).toMatch(/skipped: transfer: an offer .*\(option transferMillis\)/)
  })
})
