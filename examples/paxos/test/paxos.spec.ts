import { join } from 'node:path'
import { expect, it } from 'vitest'
import { inOrder } from '../../in-order.ts'
import { runExample } from '../../run-example.ts'

const file = join(import.meta.dirname, '../paxos.ts')

it('examples/paxos runs both phases, and finds what a dead proposer left', async () => {
  const said = await runExample(file)
  inOrder(said, [
    /A +prepares ballot 1\.1/,
    /A → B C D E +prepare .* phase 1a/,
    /B C D E → A +promise 1\.\. with 0 accepted/,
    /A +leads, in ballot 1\.1/,
    /A → B C D E +accept 1 .* phase 2a/,
    /B C D E → A +accepted up to 1/,
    /A +decides 1: reign/,
    /A +decides 2: x = 1/,
    /B C D E +decides 2: x = 1/,
    /A dies with a value on its way/,
    /A → B C D E +accept 4/,
    /[B-E] +prepares ballot 2\./,
    /promise 4\.\. with 1 accepted/,
    /accept 4\.\.5/,
    /[B-E] +decides 4: x = 3/,
    /[B-E] +decides 5: reign/,
    /[B-E] +decides 6: y = 4/,
    /A comes back/,
    /A +decides 4: x = 3/,
    /A +decides 6: y = 4/,
    /All 5 have decided the same 6 entries\.\n$/,
  ])
})

it('examples/paxos says the same each time', async () => {
  expect(await runExample(file)).toBe(await runExample(file))
})
