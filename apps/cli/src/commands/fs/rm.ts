import type { Session } from '@conclave/client'
import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { fileProblemOf } from '../../locks/file-problem.ts'
import { nameArg, pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'

/** What is inside goes first. @returns how many went. */
const removeAll = async (session: Session, path: string): Promise<number> => {
  const stat = await session.stat(path)
  let removed = 0
  if (stat?.kind === 'directory')
    for (const child of await session.list(path)) removed += await removeAll(session, child.path)
  await session.remove(path)
  return removed + 1
}

export class FsRm extends ConclaveCommand {
  static override summary = 'Remove a file or an empty directory; exit code 3 if there is none.'
  static override description =
    'With --recursive a directory goes with all that is in it, one after the other: if something is in use, or is made meanwhile, what went before stays gone.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> service/config',
    '<%= config.bin %> <%= command.id %> service -r',
  ]
  static override args = nameArg('the file or directory')
  static override flags = {
    ...sessionFlags,
    recursive: Flags.boolean({ char: 'r', description: 'with all that is in it' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FsRm)
    const path = pathOf(args.name)
    const removed = await withSession(flags, async (session) => {
      if (flags.recursive) return removeAll(session, path)
      try {
        await session.remove(path)
        return 1
      } catch (error) {
        if (fileProblemOf(error)?.code !== 'not-empty') throw error
        const hint = `Remove what is in it as well: conclave fs rm -r ${args.name}`
        throw new CommandFailed(exitCodes.refused, 'not-empty', `${args.name} is not empty`, hint)
      }
    })
    return { name: args.name, removed }
  }
}
