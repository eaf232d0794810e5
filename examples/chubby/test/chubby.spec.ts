import { join } from 'node:path'
import { it } from 'vitest'
import { inOrder } from '../../in-order.ts'
import { runExample } from '../../run-example.ts'

it('examples/chubby shows files, caches, a lock, a fail-over, and a client that is gone', async () => {
  inOrder(await runExample(join(import.meta.dirname, '../chubby.ts')), [
    /\/ls\/test\/service\/config +instance \d+, content generation 1\n/,
    /bob +reads "replicas: 3"/,
    /bob +reads "replicas: 5"/,
    /bob +is told: contents/,
    /generation 1: .* it was changed since/,
    /alice +holds primary, token 1 /,
    /bob +waits in line/,
    /is alice the holder\? true/,
    /the master dies/,
    /bob +is told: failedOver/,
    /alice +holds primary: true/,
    /bob +waits in line: true/,
    /alice is stopped/,
    /bob +holds primary, token 2 /,
    /is alice the holder\? false/,
    /bob +finds her file: false/,
    /alice +goes on, and holds primary: false/,
  ])
})
