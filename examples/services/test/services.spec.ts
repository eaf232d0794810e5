import { join } from 'node:path'
import { it } from 'vitest'
import { inOrder } from '../../in-order.ts'
import { runExample } from '../../run-example.ts'

it('examples/services shows instances that come and go, and a list that stays while the cluster is away', async () => {
  inOrder(await runExample(join(import.meta.dirname, '../services.ts')), [
    /two instances are registered\n/,
    /the list: 10\.0\.0\.1:80 failing, 10\.0\.0\.2:80 passing\n/,
    /the first one works now\n/,
    /the list: 10\.0\.0\.1:80 passing, 10\.0\.0\.2:80 passing\n/,
    /the leader dies\n/,
    /the list is what it was: 2 instances\n/,
    /the second instance is stopped/,
    /the list: 10\.0\.0\.1:80 passing\n/,
    /it goes on, and registers again\n/,
    /the list: 10\.0\.0\.1:80 passing, 10\.0\.0\.2:80 passing\n/,
    /the cluster is away\n/,
    /the list: 10\.0\.0\.1:80 passing, 10\.0\.0\.2:80 passing \(stale: no leader has answered/,
    /the cluster is back\n/,
    /the list: 10\.0\.0\.1:80 passing, 10\.0\.0\.2:80 passing\n/,
    /the first instance is deregistered\n/,
    /the list: 10\.0\.0\.2:80 passing\n/,
  ])
})
