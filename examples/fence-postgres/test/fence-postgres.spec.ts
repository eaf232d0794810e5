import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { StaleToken } from '@conclave/client'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fenced } from '../postgres-fence.ts'
import { obstacle, type Server, startServer } from './server.ts'

const file = join(import.meta.dirname, '../fence-postgres.ts')

describe.skipIf(obstacle !== undefined)(
  `examples/fence-postgres${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let server: Server
    beforeAll(async () => {
      server = await startServer()
    })
    afterAll(() => server[Symbol.asyncDispose]())

    it('refuses who held the lock before', async () => {
      const args = ['--conditions=@conclave/source', file, server.url]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
      expect(stdout).toBe(
        `A holds the lock, token 1
A is stopped, and keeps nothing alive
B holds the lock, token 2
B wrote
A goes on, and knows of nothing
A was refused: /ls/conclave/report has seen a higher fencing token than 1: the lock has passed on to another
in the table: written by B
`,
      )
    })

    it('lets one writer wait for the other, and refuses the one with the lower token', async () => {
      const [high, low] = [new Client(server.url), new Client(server.url)]
      await Promise.all([high.connect(), low.connect()])
      try {
        await high.query('CREATE TABLE pages (text text NOT NULL)')
        let late: Promise<void> | undefined
        await fenced(high, { resource: 'pages', token: 7n }, async () => {
          // It begins while the other has not committed, and so has to wait for it.
          late = fenced(low, { resource: 'pages', token: 6n }, () => low.query("INSERT INTO pages VALUES ('late')"))
          late.catch(() => {})
          await high.query("INSERT INTO pages VALUES ('new')")
        })
        await expect(late).rejects.toThrow(StaleToken)
        const { rows } = await high.query('SELECT text FROM pages')
        expect(rows).toEqual([{ text: 'new' }])
      } finally {
        await Promise.all([high.end(), low.end()])
      }
    })
  },
)
