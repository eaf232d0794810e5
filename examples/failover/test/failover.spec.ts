import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runExample } from '../../run-example.ts'

it('examples/failover loses its leader, and no write', async () => {
  const said = await runExample(join(import.meta.dirname, '../failover.ts'))
  expect(said).toMatch(/killing the leader, 12D3KooW/)
  expect(said).toContain('the revision rose by 2000: every write was applied exactly once')
}, 90_000)
