/** What examples/fence-sqlite and examples/fence-postgres have in common: a lock, two processes that want it, and one of them is stopped at the wrong moment. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, StaleToken } from '@conclave/client'
import { startNode } from '@conclave/node'

/** Writes to what the lock guards, and shows the sequencer of the lock. @throws StaleToken */
export type GuardedWrite = (sequencer: string, text: string) => Promise<void>

/** One of the two processes. It says what it holds, and once it is told to, writes, without looking whether it still holds it: as a program does that was stopped between the two. */
export const runHolder = async (endpoint: string, name: string, write: GuardedWrite): Promise<void> => {
  await using client = await connect({ endpoints: [endpoint] })
  await using session = await client.session({ ttl: '1s' })
  const lock = await session.lock('/ls/local/report')
  const { sequencer, token } = lock
  process.send?.(`${name} holds the lock, token ${token}`)
  await once(process, 'message')
  try {
    await write(sequencer, `written by ${name}`)
    process.send?.(`${name} wrote`)
  } catch (error) {
    if (!(error instanceof StaleToken)) throw error
    process.send?.(`${name} was refused: ${error.message}`)
  }
}

const hear = async (process: ChildProcess): Promise<void> => {
  const [said] = await once(process, 'message')
  console.log(said)
}

/**
 * Plays it. @param script is started twice, with the address of a node, a name, and `resource`: it is to call `runHolder`.
 */
export const playStaleHolder = async (script: string, resource: string): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-fence-'))
  const node = await startNode({ name: 'a', data: directory, listen: '/ip4/127.0.0.1/tcp/0' })
  const holders: ChildProcess[] = []
  const begin = (name: string): ChildProcess => {
    const holder = fork(script, [resource, node.addresses[0] ?? '', name])
    holders.push(holder)
    return holder
  }
  try {
    const first = begin('A')
    await hear(first)
    first.kill('SIGSTOP')
    console.log('A is stopped, and keeps nothing alive')
    const second = begin('B')
    await hear(second)
    second.send('write')
    await hear(second)
    console.log('A goes on, and knows of nothing')
    first.kill('SIGCONT')
    first.send('write')
    await hear(first)
  } finally {
    for (const holder of holders) holder.kill('SIGKILL')
    await node.close()
    await rm(directory, { recursive: true, force: true })
  }
}
