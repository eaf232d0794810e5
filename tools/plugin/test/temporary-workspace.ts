import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

const copied = ['packages', 'apps', 'tools/house', 'tools/plugin']
const leftOut = /(?:^|\/)node_modules$|^[^/]+\/[^/]+\/(?:test|bench)$/

/** A copy of the workspace without tests, whose packages find each other and the tools of the repository. */
export class TemporaryWorkspace implements Disposable {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'conclave-plugin-')))

  constructor() {
    const rootFiles = readdirSync(repository, { withFileTypes: true }).filter((entry) => entry.isFile())
    // With their times, so that what is built counts as built.
    for (const path of [...copied, ...rootFiles.map(({ name }) => name)])
      cpSync(join(repository, path), join(this.root, path), {
        recursive: true,
        preserveTimestamps: true,
        filter: (source) => !leftOut.test(relative(repository, source)),
      })
    this.#linkModules()
  }

  #linkModules(): void {
    const [from, to] = [join(repository, 'node_modules'), join(this.root, 'node_modules')]
    mkdirSync(join(to, '@conclave'), { recursive: true })
    for (const name of readdirSync(from)) {
      if (name !== '@conclave' && (name === '.bin' || !name.startsWith('.')))
        symlinkSync(join(from, name), join(to, name))
    }
    // Relative ones, which lead to the copies.
    for (const name of readdirSync(join(from, '@conclave')))
      symlinkSync(readlinkSync(join(from, '@conclave', name)), join(to, '@conclave', name))
  }

  /** Runs a tool of the workspace, by default in its root. @returns the exit code and what was printed. */
  run(command: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
    const outer = Object.entries(process.env).filter(
      ([name]) => !/^(?:VITEST|NODE_OPTIONS|FORCE_COLOR|TEST$)/.test(name),
    )
    const env = {
      ...Object.fromEntries(outer),
      PATH: [join(this.root, 'node_modules/.bin'), process.env.PATH].join(delimiter),
      NX_DAEMON: 'false',
      NO_COLOR: '1',
      ...options.env,
    }
    return new Promise<{ code: number; output: string }>((resolve) => {
      const limits = { maxBuffer: 64 * 1024 * 1024, timeout: 120_000 }
      const child = execFile(
        command,
        [...args],
        { cwd: options.cwd ?? this.root, env, ...limits },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}${stderr}` }),
      )
      child.stdin?.end()
    })
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
