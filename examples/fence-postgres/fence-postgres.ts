/**
 * A table in PostgreSQL that a lock guards. Whoever held the lock before, and does not know that it has passed on, is refused by the database itself.
 *
 *   npx node examples/fence-postgres/fence-postgres.ts postgres://USER@HOST/DATABASE
 */
import { Client } from 'pg'
import { playStaleHolder, runHolder } from '../stale-holder.ts'
import { fenced, fenceTable } from './postgres-fence.ts'

const [, script = '', connectionString, endpoint, name = ''] = process.argv
if (connectionString === undefined) throw new Error('name a database: postgres://USER@HOST/DATABASE')

const client = new Client({ connectionString })
await client.connect()

if (endpoint !== undefined) {
  await runHolder(endpoint, name, (sequencer, text) =>
    fenced(client, sequencer, () => client.query('INSERT INTO report VALUES ($1)', [text])),
  )
} else {
  await client.query(fenceTable)
  await client.query('CREATE TABLE IF NOT EXISTS report (text text NOT NULL)')
  // A cluster that is made anew begins its tokens anew.
  await client.query('TRUNCATE fence, report')
  await playStaleHolder(script, connectionString)
  const { rows } = await client.query<{ text: string }>('SELECT text FROM report')
  console.log(`in the table: ${rows.map(({ text }) => text).join(', ')}`)
}
await client.end()
process.exit()
