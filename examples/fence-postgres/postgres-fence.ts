import { createFence, type FenceStore, type Proof } from '@conclave/client'
import type { ClientBase } from 'pg'

/** The table of tokens: beside what they guard, so that one transaction changes both. */
export const fenceTable = 'CREATE TABLE IF NOT EXISTS fence (resource text PRIMARY KEY, token bigint NOT NULL)'

/** Tokens in the database. To be used within a transaction: the row stays locked until its end, so that writers pass one after the other. */
const postgresFenceStore = (client: ClientBase): FenceStore => ({
  raise: async (resource, token) => {
    const { rowCount } = await client.query(
      `INSERT INTO fence (resource, token) VALUES ($1, $2)
       ON CONFLICT (resource) DO UPDATE SET token = excluded.token WHERE excluded.token >= fence.token`,
      [resource, String(token)],
    )
    return rowCount === 1
  },
})

/**
 * Does what `write` does in one transaction with the check of the token. `client` is one connection, not a pool.
 * @throws StaleToken if somebody has held the lock since: nothing is written.
 */
export const fenced = async (client: ClientBase, proof: Proof, write: () => Promise<unknown>): Promise<void> => {
  await client.query('BEGIN')
  try {
    await createFence(postgresFenceStore(client)).check(proof)
    await write()
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}
