/** An HTTP server that serves one request after the other, each for as many milliseconds as it is told. Prints its port. `/count` says how many it served. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const [name = '', millis = '0', backlog = '511'] = process.argv.slice(2)
let count = 0
const line: ServerResponse[] = []

const serve = (): void => {
  const res = line[0]
  if (res === undefined) return
  const done = (): void => {
    line.shift()
    res.end(name)
    serve()
  }
  if (Number(millis) === 0) done()
  else setTimeout(done, Number(millis))
}

const server = createServer((req, res) => {
  if (req.url === '/count') return void res.end(String(count))
  count++
  if (line.push(res) === 1) serve()
})
server.listen({ port: 0, host: '127.0.0.1', backlog: Number(backlog) }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
