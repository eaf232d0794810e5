import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../free-port.ts'

/** Where the programs of PostgreSQL are; Debian keeps the server's own out of the PATH. */
const directory = (process.env.PATH ?? '')
  .split(':')
  .concat(globSync('/usr/lib/postgresql/*/bin'))
  .find((path) => existsSync(join(path, 'initdb')) && existsSync(join(path, 'postgres')))

/** It does not run as root: the user that its package has made. */
const account = (): { readonly uid: number; readonly gid: number } | undefined => {
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }))
  try {
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return undefined
  }
}
const isRoot = process.getuid?.() === 0
const owner = isRoot ? account() : undefined

/** Why there can be no server here, or undefined if there can. */
export const obstacle =
  directory === undefined
    ? 'PostgreSQL is not installed: apt-get install postgresql'
    : isRoot && owner === undefined
      ? 'PostgreSQL does not run as root, and there is no user postgres'
      : undefined

export interface Server extends AsyncDisposable {
  readonly url: string
}

const ready = async (server: ChildProcess): Promise<void> => {
  let said = ''
  server.stderr?.setEncoding('utf8')
  for await (const text of server.stderr ?? []) {
    said += text
    if (said.includes('ready to accept connections')) break
  }
  if (!said.includes('ready to accept connections')) throw new Error(`PostgreSQL did not start: ${said}`)
}

/** A server of its own, on a free port of the loopback, in a temporary directory. */
export const startServer = async (): Promise<Server> => {
  const bin = directory ?? ''
  const base = mkdtempSync(join(tmpdir(), 'conclave-postgres-'))
  if (owner !== undefined) chownSync(base, owner.uid, owner.gid)
  const data = join(base, 'data')
  const options = { cwd: base, env: { LC_ALL: 'C.UTF-8' }, ...owner }
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'conclave', '-A', 'trust', '--no-sync'], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const port = await freePort()
  const flags = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', base]
  const server = spawn(join(bin, 'postgres'), flags, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
  await ready(server)
  return {
    url: `postgres://conclave@127.0.0.1:${port}/postgres`,
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGINT')
      if (server.exitCode === null) await once(server, 'exit')
      rmSync(base, { recursive: true, force: true })
    },
  }
}
