import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runExample } from '../../run-example.ts'

it('examples/test-cluster counts right although the leader dies', async () => {
  const said = await runExample(join(import.meta.dirname, '../count-visits.ts'))
  expect(said).toBe('60 visits were counted, under 2 leaders\n')
})
