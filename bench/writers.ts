/**
 * Writers for the fail-over measurement, a process of its own: 64 closed loops of puts. Its parent says `begin` and `tell`; the answer to `tell` is the
 * longest time since `begin` in which no write was acknowledged, in milliseconds.
 *
 *   node bench/writers.ts ENDPOINT...
 */
import { connect } from '@conclave/client'

const writers = 64
const client = await connect({ endpoints: process.argv.slice(2) })
let last = performance.now()
let longest = 0
let acknowledged = 0
let failed = 0

const passes = (): void => {
  const now = performance.now()
  longest = Math.max(longest, now - last)
  last = now
}

process.on('message', (message: 'begin' | 'tell') => {
  if (message === 'begin') {
    longest = 0
    acknowledged = 0
    failed = 0
  } else {
    passes()
    process.send?.({ gapMillis: longest, acknowledged, failed })
  }
})
process.on('disconnect', () => process.exit(0))

const loop = async (writer: number): Promise<void> => {
  for (let serial = 0; ; serial++) {
    try {
      await client.kv.put(`w${writer}/${serial % 100}`, 'x'.repeat(256))
      acknowledged += 1
      passes()
    } catch {
      failed += 1
    }
  }
}
for (let writer = 0; writer < writers; writer++) void loop(writer)
