// `npm run seeds -w @conclave/simulator -- FIRST [COUNT]`: runs seeds and prints what fails. TRACE=1 prints the trace of one seed.
import { raft } from '@conclave/engine-raft'
import { raftVersion1 } from '@conclave/engine-raft/testing'
import { planOf, raftInsight, run } from '@conclave/simulator'

const [first = 1, count = 1] = process.argv.slice(2).map(Number)
const parts = { engine: raft, previousEngine: raftVersion1, insight: raftInsight }
const trace = process.env.TRACE !== undefined
const started = performance.now()
const failures: string[] = []
const marks = new Map<string, number>()
let simulated = 0
for (let seed = first; seed < first + count; seed++) {
  const result = await run(planOf(seed), parts, { trace })
  simulated += result.simulatedMillis
  for (const [mark, times] of result.marks) marks.set(mark, (marks.get(mark) ?? 0) + times)
  const { violation, counts } = result
  if (count === 1) console.log(result.digest, counts, Math.round(result.simulatedMillis))
  if (trace)
    for (const event of result.trace.events)
      console.log(JSON.stringify(event, (_key, value) => (typeof value === 'bigint' ? `${value}` : value)))
  if (violation === undefined) continue
  failures.push(`seed ${seed} at ${violation.at.toFixed(1)}: ${violation.invariant}: ${violation.what}`)
  console.log(failures.at(-1))
}
const seconds = (performance.now() - started) / 1_000
if (count > 1)
  console.log(
    [...marks]
      .sort()
      .map(([mark, times]) => `${mark}: ${times}`)
      .join('\n'),
  )
console.log(
  `${failures.length} of ${count} failed; ${(count / seconds).toFixed(1)} runs a second, ${(simulated / 3_600_000 / (seconds / 60)).toFixed(2)} simulated hours a minute`,
)
