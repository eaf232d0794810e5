/**
 * The suites that a plug-in has to pass, one per contract: `@conclave/compliance/engine`, `/journal`, `/transport`, `/machine`,
 * `/balance`. Each gives a list of tests that any test runner can run.
 *
 * @example
 * ```ts
 * import { machineCompliance } from '@conclave/compliance/machine'
 * import { encodeKey, encodePut, kvMachine } from '@conclave/machine-kv'
 * import { describe, test } from 'vitest' // or node:test, mocha, jest
 *
 * machineCompliance({
 *   name: 'kv',
 *   machine: kvMachine,
 *   command: ({ next }) => encodePut(encodeKey(`key ${Math.floor(next() * 20)}`), new Uint8Array(Math.floor(next() * 100))),
 * }).register({ describe, test })
 * ```
 *
 * @packageDocumentation
 */
export { type ComplianceOptions, type Outcome, Suite, type SuiteTest, type TestRunner } from './suite.ts'
