import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Runs a program of this repository from source, as a user would, and returns what it printed. @throws if it does not end with 0. */
export const runExample = async (file: string, cwd?: string): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@conclave/source', file], {
    ...(cwd !== undefined && { cwd }),
    timeout: 60_000,
  })
  return stdout
}
