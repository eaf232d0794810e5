/**
 * A table in SQLite that a lock guards. Whoever held the lock before, and does not know that it has passed on, is refused by the database itself.
 *
 *   npx node examples/fence-sqlite/fence-sqlite.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { playStaleHolder, runHolder } from '../stale-holder.ts'
import { fenced, fenceTable } from './sqlite-fence.ts'

const [, script = '', file, endpoint = '', name = ''] = process.argv

const open = (path: string): DatabaseSync => {
  const database = new DatabaseSync(path, { timeout: 5000 })
  database.exec(fenceTable)
  database.exec('CREATE TABLE IF NOT EXISTS report (text TEXT NOT NULL) STRICT')
  return database
}

if (file !== undefined) {
  using database = open(file)
  const insert = database.prepare('INSERT INTO report (text) VALUES (?)')
  await runHolder(endpoint, name, (sequencer, text) =>
    fenced(database, sequencer, () => {
      insert.run(text)
    }),
  )
  process.exit()
}

const directory = await mkdtemp(join(tmpdir(), 'conclave-sqlite-'))
try {
  const path = join(directory, 'report.db')
  using database = open(path)
  await playStaleHolder(script, path)
  const rows = database.prepare('SELECT text FROM report').all()
  console.log(`in the table: ${rows.map(({ text }) => text).join(', ')}`)
} finally {
  await rm(directory, { recursive: true, force: true })
}
process.exit()
