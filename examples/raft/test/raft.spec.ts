import { join } from 'node:path'
import { expect, it } from 'vitest'
import { inOrder } from '../../in-order.ts'
import { runExample } from '../../run-example.ts'

const file = join(import.meta.dirname, '../raft.ts')

it('examples/raft elects, replicates, and commits what a dead leader left', async () => {
  const said = await runExample(file)
  inOrder(said, [
    /A +candidate of term 1/,
    /A → B C D E +vote .* RequestVote/,
    /B C D E → A +vote granted term 1/,
    /A +leader of term 1/,
    /A → B C D E +append 1 .* AppendEntries/,
    /B C D E → A +match 1/,
    /A +commits 1: reign/,
    /A +commits 2: x = 1/,
    /B C D E +commits 2: x = 1/,
    /A dies with an entry on its way/,
    /A → B C D E +append 4/,
    /([B-E]) +candidate of term 2/,
    /[B-E] +leader of term 2/,
    /[B-E] +commits 4: x = 3/,
    /[B-E] +commits 5: reign of term 2/,
    /[B-E] +commits 6: y = 4/,
    /A comes back/,
    /A +commits 4: x = 3/,
    /A +commits 6: y = 4/,
    /All 5 have committed the same 6 entries\.\n$/,
  ])
})

it('examples/raft says the same each time', async () => {
  expect(await runExample(file)).toBe(await runExample(file))
})
