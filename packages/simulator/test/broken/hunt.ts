// `npm run broken -w @conclave/simulator -- [NAME [FIRST [COUNT]]]`: how many seeds it takes until each broken variant is caught.
import { planOf, run } from '@conclave/simulator'
import { raftParts } from '../parts.ts'
import { aroundTheEngine } from './around.ts'
import { brokenParts, finds } from './fixture.ts'
import { brokenLocks } from './locks.ts'
import { brokenRafts } from './raft.ts'

const [wanted = '', first = '1', count = '400'] = process.argv.slice(2)

const all = [
  ...[...brokenRafts, ...aroundTheEngine].map((fixture) => ({ fixture, workload: 'kv' as const })),
  ...brokenLocks.map((fixture) => ({ fixture, workload: 'locks' as const })),
]
for (const { fixture, workload } of all) {
  if (!fixture.name.includes(wanted)) continue
  const parts = await brokenParts(raftParts, { from: 'engine-raft', name: 'raft' }, fixture)
  let found = 'NOT CAUGHT'
  for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
    const { violation } = await run(planOf(seed, { workload, ...(fixture.leases && { leases: true }) }), parts)
    if (violation === undefined || !finds(fixture, violation)) continue
    found = `seed ${seed} (${seed - Number(first) + 1}): ${violation.invariant}: ${violation.what.slice(0, 140)}`
    break
  }
  console.log(`${fixture.name} | ${found}`)
}
