import { transportCompliance } from '@conclave/compliance/transport'
import { type Peer, seededRandom, type Transport } from '@conclave/interface'
import { describe, test } from 'vitest'
import { type Identity, libp2pTransport } from '../src/index.ts'
import { realClock as clock, peerOf, World } from './world.ts'

const bulk = 5 * 1024 * 1024
const transferMillis = 1000

/** One host for each transport: when it closes, its process is gone. */
const memberOf = async (world: World, identity: Identity, listen: readonly string[]) => {
  const host = await world.host({ identity, listen })
  const { gate } = world
  const random = seededRandom(1)
  const inner = libp2pTransport({ host, clusterId: 'test', gate, clock, random, queueBytes: { bulk }, transferMillis })
  const transport: Transport = {
    self: inner.self,
    start: (handler) => inner.start(handler),
    setPeers: (peers) => inner.setPeers(peers),
    send: (to, message, lane) => inner.send(to, message, lane),
    transfer: (to, header, body, signal) => inner.transfer(to, header, body, signal),
    close: () => inner.close().then(() => host.close()),
  }
  return {
    transport,
    peer: (): Peer => peerOf({ host }),
    listening: host.addresses().map((at) => at.replace(/\/p2p\/.*/, '')),
  }
}

const suite = await transportCompliance({
  name: 'transport-libp2p',
  queueBytes: bulk,
  transferMillis,
  network: () => {
    const world = new World()
    const known = new Map<string, { identity: Identity; listen: readonly string[] }>()
    return {
      member: async (name) => {
        const { identity, listen } = known.get(name) ?? {
          identity: await world.identity(),
          listen: ['/ip4/127.0.0.1/tcp/0'],
        }
        const member = await memberOf(world, identity, listen)
        known.set(name, { identity, listen: member.listening })
        return member
      },
      dispose: () => world[Symbol.asyncDispose](),
    }
  },
})
suite.register({ describe, test })
