import type { DatabaseSync } from 'node:sqlite'
import { createFence, type FenceStore, type Proof } from '@conclave/client'

/** The table of tokens: beside what they guard, so that one transaction changes both. */
export const fenceTable =
  'CREATE TABLE IF NOT EXISTS fence (resource TEXT PRIMARY KEY, token INTEGER NOT NULL) STRICT, WITHOUT ROWID'

/** Tokens in the database. To be used within a transaction. */
const sqliteFenceStore = (database: DatabaseSync): FenceStore => {
  const raise = database.prepare(
    `INSERT INTO fence (resource, token) VALUES (?, ?)
     ON CONFLICT (resource) DO UPDATE SET token = excluded.token WHERE excluded.token >= fence.token`,
  )
  return { raise: (resource, token) => Number(raise.run(resource, token).changes) === 1 }
}

/**
 * Does what `write` does in one transaction with the check of the token. One at a time on one connection.
 * @throws StaleToken if somebody has held the lock since: nothing is written.
 */
export const fenced = async (database: DatabaseSync, proof: Proof, write: () => void): Promise<void> => {
  // Immediate: two writers see each other's tokens, one after the other.
  database.exec('BEGIN IMMEDIATE')
  try {
    await createFence(sqliteFenceStore(database)).check(proof)
    write()
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
