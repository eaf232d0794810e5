/**
 * The processes of the bench of proxies, each with one thread: `instance BYTES MILLIS`, `plain ADDRESS…` and `conclave MODE STRATEGY ADDRESS…`. Prints the port that it listens on.
 */
import { Agent, createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isStrategyName, strategies } from '@conclave/balance'
import { createProxy, fixedInstances } from '@conclave/proxy'

const say = (port: number): void => void process.stdout.write(`${port}\n`)

/** @param millis that each request takes, one after the other; 0: answers at once. */
const instance = (bytes: number, millis: number): void => {
  const body = Buffer.alloc(bytes, 'x')
  const line: ServerResponse[] = []
  const answer = (res: ServerResponse): void => {
    res.writeHead(200, { 'content-type': 'text/plain', 'content-length': bytes }).end(body)
  }
  const serve = (): void => {
    setTimeout(() => {
      const res = line.shift()
      if (res !== undefined) answer(res)
      if (line.length > 0) serve()
    }, millis)
  }
  const server = createServer((_, res) => {
    if (millis === 0) answer(res)
    else if (line.push(res) === 1) serve()
  })
  server.listen(0, '127.0.0.1', () => say((server.address() as AddressInfo).port))
}

/** What one writes in a quarter of an hour: no limits, no retries, no metrics. */
const plain = (addresses: readonly string[]): void => {
  const agent = new Agent({ keepAlive: true })
  let turn = 0
  const server = createServer((req, res) => {
    const [host, port] = addresses[turn++ % addresses.length]?.split(':') ?? []
    const { method, url: path, headers } = req
    const forwarded = request({ host, port, method, path, headers, agent }, (response) => {
      res.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(res)
    })
    forwarded.on('error', () => res.destroy())
    req.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1', () => say((server.address() as AddressInfo).port))
}

const conclave = async (mode: string, strategy: string, addresses: readonly string[]): Promise<void> => {
  if (!isStrategyName(strategy)) throw new RangeError(`there is no strategy ${strategy}`)
  const proxy = await createProxy({
    mode: mode === 'tcp' ? 'tcp' : 'http',
    listen: { port: 0 },
    source: fixedInstances(addresses),
    balancer: strategies[strategy].factory({ random: { next: Math.random }, now: () => performance.now() }),
  })
  say(proxy.address.port)
}

const [program, ...args] = process.argv.slice(2)
switch (program) {
  case 'instance':
    instance(Number(args[0]), Number(args[1]))
    break
  case 'plain':
    plain(args)
    break
  case 'conclave':
    await conclave(args[0] ?? '', args[1] ?? '', args.slice(2))
    break
  default:
    throw new RangeError(`there is no program ${program}`)
}
