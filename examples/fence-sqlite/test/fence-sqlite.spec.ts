import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StaleToken } from '@conclave/client'
import { expect, it } from 'vitest'
import { runExample } from '../../run-example.ts'
import { fenced, fenceTable } from '../sqlite-fence.ts'

it('examples/fence-sqlite refuses who held the lock before', async () => {
  expect(await runExample(join(import.meta.dirname, '../fence-sqlite.ts'))).toBe(
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

it('the token and what it guards are written together, or not at all', async () => {
  using database = new DatabaseSync(':memory:')
  database.exec(fenceTable)
  database.exec('CREATE TABLE report (text TEXT NOT NULL) STRICT')
  const insert = (text: string): void => {
    database.prepare('INSERT INTO report VALUES (?)').run(text)
  }
  const write = (token: bigint, text: string): Promise<void> =>
    fenced(database, { resource: 'report', token }, () => insert(text))
  await write(1n, 'one')
  await write(1n, 'one again')
  await expect(
    fenced(database, { resource: 'report', token: 9n }, () => {
      insert('lost')
      throw new Error('the disk is full')
    }),
  ).rejects.toThrow('the disk is full')
  // Had the token of the failed write stayed, this one would be stale.
  await write(2n, 'two')
  await expect(write(1n, 'late')).rejects.toThrow(StaleToken)
  expect(
    database
      .prepare('SELECT text FROM report')
      .all()
      .map(({ text }) => text),
  ).toEqual(['one', 'one again', 'two'])
})
