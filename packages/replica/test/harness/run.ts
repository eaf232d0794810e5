// `npm run harness -w @conclave/replica -- FIRST [COUNT]`: runs seeds and prints what fails, with its history. HARNESS_LOG=1 also prints the nodes' warnings.
import { runWorld } from './campaign.ts'

const [first = 1, count = 1] = process.argv.slice(2).map(Number)
const started = performance.now()
let events = 0
for (let seed = first; seed < first + count; seed++) {
  const result = await runWorld(seed)
  events += result.events
  if (count <= 5 || result.violation !== undefined)
    console.log(
      `seed ${seed} digest ${result.digest} operations ${result.operations} decided ${result.decided} lives ${result.lives} restored ${result.snapshotsRestored} events ${result.events}`,
    )
  if (result.violation === undefined) continue
  for (const line of result.lines.slice(-150)) console.log(line)
  console.log(`seed ${seed} failed: ${result.violation}`)
  process.exitCode = 1
  break
}
console.log(`${((performance.now() - started) / count).toFixed(1)} ms and ${Math.round(events / count)} events a world`)
