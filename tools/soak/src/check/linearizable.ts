/**
 * The linearizability checker on what the clients saw, key by key. It is told nothing of the watch: answers, their revisions and their times are all
 * it has.
 */
import {
  check as decide,
  drawSvg,
  drawText,
  type KvInput,
  type KvOutput,
  kvModel,
  type Operation as ModelOperation,
} from '@conclave/linearizability'
import type { Operation } from '../history.ts'
import type { Violation } from './violation.ts'

/** Steps for one key. A history of some hundred operations takes thousands. */
const maxSteps = 3_000_000

export interface Linearizability {
  readonly keys: number
  /** Keys for which the steps did not suffice: neither good nor bad. */
  readonly undecided: readonly string[]
  readonly steps: number
  readonly violations: readonly Violation[]
}

export const checkLinearizable = (operations: readonly Operation[]): Linearizability => {
  const undecided: string[] = []
  const violations: Violation[] = []
  const byKey = Map.groupBy(
    operations.filter(({ outcome }) => outcome !== 'failed'),
    ({ key }) => key,
  )
  let steps = 0
  for (const [key, own] of byKey) {
    const verdict = verdictOf(own)
    steps += verdict.steps
    if (verdict.verdict === 'unknown') undecided.push(key)
    if (verdict.verdict !== 'illegal') continue
    const { window } = verdict
    violations.push({
      check: 'linearizability',
      text: `${window.partition}: ${window.why}`,
      drawing: drawText(window),
      svg: drawSvg(window),
    })
  }
  return { keys: byKey.size, undecided, steps, violations }
}

/** Leaving out open calls that left no trace can only make a history harder to explain; so what is good without them is good. */
const verdictOf = (own: readonly Operation[]) => {
  const quick = decide(kvModel, withoutTraceless(own).map(toModel), { maxSteps })
  return quick.verdict === 'ok' ? quick : decide(kvModel, own.map(toModel), { maxSteps })
}

/**
 * Without the writes of unknown outcome of which nothing shows that they happened: nobody read their value, and no answer tells of a revision that
 * no acknowledged write has.
 */
const withoutTraceless = (own: readonly Operation[]): readonly Operation[] => {
  const acknowledged = new Set<number | undefined>([0])
  for (const { kind, outcome, revision } of own) if (kind !== 'get' && outcome === 'ok') acknowledged.add(revision)
  const seen = new Set(own.map(({ seen: value }) => value))
  const strange = own.some(({ kind, outcome, revision, previous }) =>
    kind !== 'get' && outcome === 'ok'
      ? !acknowledged.has(previous)
      : outcome === 'mismatch' && !acknowledged.has(revision),
  )
  if (strange) return own
  return own.filter(({ kind, outcome, value }) => outcome !== 'unknown' || kind === 'delete' || seen.has(value))
}

const toModel = (operation: Operation): ModelOperation<KvInput, KvOutput> => {
  const { worker: client, invoked, returned, outcome } = operation
  const about = { client, input: inputOf(operation), invoked }
  return outcome === 'unknown' ? about : { ...about, returned, output: outputOf(operation) }
}

const inputOf = ({ kind, key, value = '', expected }: Operation): KvInput => {
  switch (kind) {
    case 'get':
      return { type: 'get', key }
    case 'put':
      return { type: 'put', key, value }
    case 'cas':
      return { type: 'put', key, value, ifRevision: BigInt(expected?.revision ?? 0) }
    case 'delete':
      return { type: 'delete', key }
  }
}

const outputOf = ({ kind, outcome, seen, revision = 0, previous = 0 }: Operation): KvOutput => {
  if (kind === 'get') return { type: 'got', value: seen ?? null, modRevision: BigInt(revision) }
  if (outcome === 'mismatch') return { type: 'mismatch', current: BigInt(revision) }
  return { type: 'done', revision: BigInt(revision), previous: BigInt(previous) }
}
