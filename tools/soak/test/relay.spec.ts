import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { FromRelay, ToRelay } from '../src/relay.ts'

const echo = async (): Promise<Server> => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

/** A relay with links to `x` and `y`, which both answer what they hear. */
const withRelay = async (
  use: (links: {
    x: Socket
    y: Socket
    tell: (message: ToRelay) => void
    pace: (paces: Extract<ToRelay, { type: 'pace' }>['paces']) => Promise<void>
  }) => Promise<void>,
): Promise<void> => {
  const server = await echo()
  const relay = fork(fileURLToPath(new URL('../src/relay.ts', import.meta.url)))
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const listen = { host: '127.0.0.1', port: 0 }
  const tell = (message: ToRelay): void => void relay.send(message)
  const sockets: Socket[] = []
  try {
    tell({ type: 'listen', routes: ['x', 'y'].map((peer) => ({ peer, listen, target })) })
    const [{ ports }] = (await once(relay, 'message')) as [Extract<FromRelay, { type: 'listening' }>]
    const link = async (peer: string): Promise<Socket> => {
      const socket = connect(ports[peer] ?? 0, '127.0.0.1')
      sockets.push(socket)
      await once(socket, 'connect')
      return socket.setEncoding('utf8')
    }
    const pace = async (paces: Extract<ToRelay, { type: 'pace' }>['paces']): Promise<void> => {
      const paced = once(relay, 'message')
      tell({ type: 'pace', paces })
      await paced
    }
    await use({ x: await link('x'), y: await link('y'), tell, pace })
  } finally {
    for (const socket of sockets) socket.destroy()
    relay.disconnect()
    await once(relay, 'exit')
    server.close()
  }
}

const answer = async (socket: Socket): Promise<string> => ((await once(socket, 'data')) as [string])[0]

describe('a relay', () => {
  test('passes bytes on, late if told so', () =>
    withRelay(async ({ x, y, pace }) => {
      x.write('one')
      expect(await answer(x)).toBe('one')
      await pace({ x: { delayMillis: 50, jitterMillis: 20, stalled: false } })
      const order: string[] = []
      const answers = [x, y].map(async (socket) => order.push(await answer(socket)))
      x.write('first, slowly')
      y.write('second, at once')
      await Promise.all(answers)
      expect(order).toEqual(['second, at once', 'first, slowly'])
    }))

  test('holds bytes back, loses none, and holds nobody else up', () =>
    withRelay(async ({ x, y, pace }) => {
      const heard: string[] = []
      x.on('data', (text: string) => heard.push(text))
      await pace({ x: { delayMillis: 0, jitterMillis: 0, stalled: true } })
      x.write('a')
      for (let round = 0; round < 20; round++) {
        y.write('still here')
        await answer(y)
      }
      expect(heard).toEqual([])
      x.write('b')
      await pace({})
      while (heard.join('') !== 'ab') await once(x, 'data')
    }))

  test('resets connections to one peer only', () =>
    withRelay(async ({ x, y, tell }) => {
      for (const socket of [x, y]) {
        socket.write('hello')
        await answer(socket)
      }
      tell({ type: 'reset', peer: 'x' })
      const [error] = (await once(x, 'error')) as [NodeJS.ErrnoException]
      expect(error.code).toBe('ECONNRESET')
      y.write('well')
      expect(await answer(y)).toBe('well')
    }))
})
