import type { Session, Stat } from '@conclave/client'
import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { fileProblemOf } from '../../locks/file-problem.ts'
import { optionalNameArg, pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { lockText, statJson } from '../../locks/stat-view.ts'
import { printLine } from '../../print-line.ts'

const lastOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** A cell has no directory before something is in it. */
const listed = async (session: Session, name: string | undefined): Promise<readonly Stat[]> => {
  try {
    return await session.list(pathOf(name))
  } catch (error) {
    if (name === undefined && fileProblemOf(error)?.code === 'no-node') return []
    throw error
  }
}

export class FsLs extends ConclaveCommand {
  static override summary = 'List what is in a directory of the lock service, in byte order.'
  static override description = 'Directories end with a slash. With --json one entry a line (NDJSON), in full.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> jobs --long']
  static override args = optionalNameArg('the directory')
  static override flags = {
    ...sessionFlags,
    long: Flags.boolean({ char: 'l', description: 'with size, content generation and lock' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FsLs)
    const stats = await withSession(flags, (session) => listed(session, args.name))
    for (const stat of stats) if (!(await printLine(this.line(stat, flags.long)))) break
  }

  private line(stat: Stat, long: boolean): string {
    if (this.jsonEnabled()) return JSON.stringify(statJson(stat))
    const name = `${lastOf(stat.path)}${stat.kind === 'directory' ? '/' : ''}`
    return long ? `${stat.size}\t${stat.contentGeneration}\t${lockText(stat.lock)}\t${name}` : name
  }
}
