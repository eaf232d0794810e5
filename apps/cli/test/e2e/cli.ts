import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readRecord, signalProcess, stateOf } from '../../src/local/process.ts'

export const cliArgs = ['--conditions=@conclave/source', fileURLToPath(new URL('../../bin/dev.ts', import.meta.url))]

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout(): string
}

/** The real command in a real process. */
export const start = (
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
  wrap: readonly string[] = [],
): Running => {
  const [command = process.execPath, ...before] = [...wrap, process.execPath]
  const child = spawn(command, [...before, ...cliArgs, ...args], {
    cwd,
    env: { ...process.env, CONCLAVE_ENDPOINTS: '', NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin?.on('error', () => {})
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { child, ended, stdout: () => stdout }
}

export const run = (
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
  wrap: readonly string[] = [],
): Promise<Ended> => {
  const { child, ended } = start(cwd, args, env, wrap)
  child.stdin?.end()
  return ended
}

/** Runs a command that must succeed, and parses what it printed. */
export const json = async <T>(cwd: string, args: readonly string[]): Promise<T> => {
  const { code, stdout, stderr } = await run(cwd, [...args, '--json'])
  if (code !== 0) throw new Error(`conclave ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`)
  return JSON.parse(stdout) as T
}

export interface StatusJson {
  readonly leader: string | null
  readonly nodes: readonly {
    readonly name: string
    readonly address: string
    readonly state: string
    readonly pid?: number
    readonly role: string
    readonly status?: {
      readonly engine: string
      readonly otherEngines?: readonly { readonly name: string; readonly engine: string }[]
      readonly last: number
      readonly applied: number
      readonly machines: Readonly<Record<string, string>>
      readonly snapshotsInstalled: number
      readonly snapshotsSent: number
      readonly detail: Record<string, unknown>
    }
  }[]
}

export const status = async (cwd: string): Promise<StatusJson> =>
  JSON.parse((await run(cwd, ['status', '--json'])).stdout) as StatusJson

/** Waits, by looking again and again, until `done` holds; the test's own time-out is the only limit. */
export const until = async <T>(look: () => Promise<T>, done: (seen: T) => boolean): Promise<T> => {
  for (;;) {
    const seen = await look()
    if (done(seen)) return seen
    await sleep(100)
  }
}

/** A directory of its own, in which whatever was started is ended, come what may. */
export const inDirectory = async (use: (cwd: string) => Promise<void>): Promise<void> => {
  const cwd = await mkdtemp(join(tmpdir(), 'conclave-e2e-'))
  try {
    await use(cwd)
  } finally {
    await run(cwd, ['down']).catch(() => {})
    for (const record of await records(cwd)) signalProcess(record, 'SIGKILL')
    await rm(cwd, { recursive: true, force: true })
  }
}

/** The processes of the nodes that are recorded there. */
export const records = async (cwd: string): Promise<NonNullable<ReturnType<typeof readRecord>>[]> => {
  const base = join(cwd, '.conclave')
  const names = await readdir(base).catch(() => [])
  return names.map((name) => readRecord(join(base, name, 'process.json'))).filter((record) => record !== undefined)
}

/** SIGKILL for one node, now. */
export const killNode = (cwd: string, name: string): void => {
  const record = readRecord(join(cwd, '.conclave', name, 'process.json'))
  if (record === undefined || !signalProcess(record, 'SIGKILL')) throw new Error(`${name} does not run`)
}

export const alive = async (cwd: string): Promise<number> =>
  (await records(cwd)).filter((record) => stateOf(record) !== 'dead').length

export const killAll = async (cwd: string): Promise<void> => {
  for (const record of await records(cwd)) signalProcess(record, 'SIGKILL')
}

export const logOf = (cwd: string, name: string): Promise<string> =>
  readFile(join(cwd, '.conclave', name, 'node.log'), 'utf8')
