import { ConclaveCommand, color } from '../base-command.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import { findTarget, targetFlags } from '../target.ts'
import { engineTrouble, leaderOf, renderTable, rowsOf, viewsJson } from '../view.ts'

export class Status extends ConclaveCommand {
  static override summary = 'Show every node, dead ones included, and which one leads.'
  static override description = 'Exit code 4 if no node leads.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']
  static override flags = targetFlags

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Status)
    const target = findTarget(flags)
    const { observe } = await import('../observe.ts')
    await using observer = await observe(target)
    const views = await observer.look()
    const leader = leaderOf(views)
    for (const line of renderTable(rowsOf(views), color)) this.log(line)
    const trouble = engineTrouble(views)
    if (leader !== undefined) {
      if (trouble !== undefined) this.log(color('31', `\n${trouble}`))
      return viewsJson(views, true)
    }
    if (!this.jsonEnabled()) {
      const answering = views.filter((view) => view.status !== undefined).length
      throw new CommandFailed(
        exitCodes.unavailable,
        'no-leader',
        trouble === undefined
          ? `no node leads: ${answering} of ${views.length} answer, and a majority must`
          : `no node leads: ${trouble}`,
        trouble !== undefined || target.local === undefined
          ? undefined
          : 'Start dead nodes with `conclave up`, or one with `conclave node restart NAME`.',
      )
    }
    process.exitCode = exitCodes.unavailable
    return viewsJson(views, true)
  }
}
