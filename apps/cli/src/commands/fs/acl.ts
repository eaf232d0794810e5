import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { nameArg, pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { aclText } from '../../locks/stat-view.ts'

const listFlag = (description: string) =>
  Flags.string({ description: `the list of who may ${description}; empty: everybody`, helpValue: 'LIST' })

export class FsAcl extends ConclaveCommand {
  static override summary = 'Show, or set, the names of the access control lists of a file or directory.'
  static override description =
    'A list is the file /ls/CELL/acl/LIST, with a peer id a line, or * for everybody. Lists that are not named stay as they are. What is made in a directory begins with its lists.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> jobs/nightly',
    '<%= config.bin %> <%= command.id %> jobs/nightly --write operators --change-acl operators',
  ]
  static override args = nameArg('the file or directory')
  static override flags = {
    ...sessionFlags,
    read: listFlag('read'),
    write: listFlag('write, lock and delete'),
    'change-acl': listFlag('change these names'),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FsAcl)
    const path = pathOf(args.name)
    const given = { read: flags.read, write: flags.write, changeAcl: flags['change-acl'] }
    const changes = Object.fromEntries(Object.entries(given).filter(([, list]) => list !== undefined))
    const result = await withSession(flags, async (session) => {
      const stat = await session.stat(path)
      if (stat === undefined) {
        const { FileProblem } = await import('@conclave/client')
        throw new FileProblem('no-node', path)
      }
      if (Object.keys(changes).length === 0) return { acl: stat.acl, generation: stat.aclGeneration }
      await using handle = await session.open(path, { access: { read: false, write: false, changeAcl: true } })
      const acl = { ...stat.acl, ...changes }
      return { acl, generation: await handle.setAcl(acl, { ifGeneration: stat.aclGeneration }) }
    })
    this.log(aclText(result.acl))
    return { name: args.name, ...result.acl, aclGeneration: String(result.generation) }
  }
}
