import { join } from 'node:path'
import { expect, it } from 'vitest'
import { inOrder } from '../../in-order.ts'
import { runExample } from '../../run-example.ts'

const file = join(import.meta.dirname, '../zab.ts')

it('examples/zab goes through all phases, and delivers what a dead leader left', async () => {
  const said = await runExample(file)
  inOrder(said, [
    /A B C D E +LOOKING: election/,
    /E +LEADING: discovery/,
    /E → A B C D +NEWEPOCH 1/,
    /A B C D → E +ACKEPOCH 1/,
    /E +LEADING: synchronization/,
    /E → A B C D +NEWLEADER 1/,
    /A B C D → E +ACKLD 1/,
    /E +LEADING: broadcast/,
    /E → A B C D +COMMITLD 1/,
    /E → A B C D +PROPOSE 2 \(1\.2\)/,
    /A B C D → E +ACK 2/,
    /E → A B C D +COMMIT 2/,
    /A B C D +delivers 2: x = 1/,
    /E dies with a transaction on its way/,
    /E → A B C D +PROPOSE 4 \(1\.4\)/,
    /A B C D +LOOKING: election/,
    /→ [A-D] +CEPOCH 1/,
    /[A-D] +LEADING: discovery/,
    /NEWEPOCH 2/,
    /ACKEPOCH 2: epoch 1, up to 4 \(1\.4\)/,
    /NEWLEADER 2 up to 4/,
    /[A-D] +delivers 4: x = 3/,
    /[A-D] +delivers 6: y = 4/,
    /E comes back/,
    /E → [A-D] +CEPOCH 1/,
    /[A-D] → E +COMMITLD 2/,
    /E +delivers 6: y = 4/,
    /All 5 have delivered the same 6 entries\.\n$/,
  ])
})

it('examples/zab says the same each time', async () => {
  expect(await runExample(file)).toBe(await runExample(file))
})
