// A program that uses locks, for tests that stop and kill it: `node lock-client.ts ENDPOINTS PATH OPTIONS`. It says what happens as a line of JSON each.
import { connect, createFence, memoryFenceStore } from '@conclave/client'

const [endpoints = '', path = '', options = '{}'] = process.argv.slice(2)
const { ttl, grace, holdMillis } = JSON.parse(options)
const say = (what: string, more: object = {}): void =>
  void process.stdout.write(`${JSON.stringify({ what, ...more })}\n`)

await using client = await connect({ endpoints: endpoints.split(',') })
await using session = await client.session({ ttl, grace })
for (const event of ['jeopardy', 'safe', 'expired'] as const) session.on(event, () => say(event))
say('asks')
const lock = await session.lock(path)
const { token, sequencer } = lock
say('holds', { token: String(token), sequencer })
lock.signal.addEventListener('abort', () => {
  let refused = 'no'
  try {
    lock.assertHeld()
  } catch (error) {
    refused = (error as { code: string }).code
  }
  say('lost', { refused })
})
// What it guards here has seen nobody else: that it is refused elsewhere is for whoever reads the sequencer.
await createFence(memoryFenceStore()).check(sequencer)
await new Promise((resolve) => setTimeout(resolve, holdMillis ?? 600_000))
say('gives back', { held: lock.held })
await lock.release()
