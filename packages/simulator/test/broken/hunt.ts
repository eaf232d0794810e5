// `npm run broken -w @conclave/simulator -- [NAME [FIRST [COUNT]]]`: how many seeds it takes until each broken variant is caught.
import { planOf, run } from '@conclave/simulator'
import { raftParts } from '../parts.ts'
import { aroundTheEngine } from './around.ts'
import { brokenParts } from './fixture.ts'
import { brokenRafts } from './raft.ts'

const [wanted = '', first = '1', count = '400'] = process.argv.slice(2)

for (const fixture of [...brokenRafts, ...aroundTheEngine]) {
  if (!fixture.name.includes(wanted)) continue
  const parts = await brokenParts(raftParts, { from: 'engine-raft', name: 'raft' }, fixture)
  let found = 'NOT CAUGHT'
  for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
    const { violation } = await run(planOf(seed, fixture.leases ? { leases: true } : {}), parts)
    if (violation === undefined) continue
    found = `seed ${seed} (${seed - Number(first) + 1}): ${violation.invariant}: ${violation.what.slice(0, 140)}`
    break
  }
  console.log(`${fixture.name} | ${found}`)
}
