import { transportCompliance } from '@conclave/compliance/transport'
import { type Clock, type Monotonic, nodeId, seededRandom } from '@conclave/interface'
import { describe, test } from 'vitest'
import { memoryNetwork } from '../src/index.ts'

const clock: Clock = {
  now: () => performance.now() as Monotonic,
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  defer: (run) => void setImmediate(run),
}
const queueBytes = 1024 * 1024
const transferMillis = 500

const suite = await transportCompliance({
  name: 'transport-memory',
  queueBytes,
  transferMillis,
  messageBytes: queueBytes,
  network: () => {
    const network = memoryNetwork({ clock, random: seededRandom(1), queueBytes, transferMillis })
    return {
      member: async (name) => ({
        transport: network.transport(nodeId(name)),
        peer: () => ({ id: nodeId(name), name, addresses: [] }),
      }),
      reset: (a, b) => network.reset(a, b),
    }
  },
})
suite.register({ describe, test })
