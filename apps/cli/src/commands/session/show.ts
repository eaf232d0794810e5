import { Args } from '@oclif/core'
import { ConclaveCommand, color } from '../../base-command.ts'
import { type HandleInfo, oneSession } from '../../locks/list-pages.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { parseSessionId } from '../../locks/session-id.ts'
import { renderColumns } from '../../view.ts'
import { sessionJson } from './list.ts'

const lockText = ({ lock, valid }: HandleInfo): string => {
  if (!valid) return 'deleted'
  switch (lock.state) {
    case 'held':
      return `held ${lock.mode}, token ${lock.token}`
    case 'queued':
      return `waits behind ${lock.position}`
    default:
      return '-'
  }
}

const handleJson = ({ lock, ...rest }: HandleInfo) => ({
  ...rest,
  lock:
    lock.state === 'held'
      ? {
          ...lock,
          token: String(lock.token),
          lockGeneration: String(lock.lockGeneration),
          instance: String(lock.instance),
        }
      : lock,
})

export class SessionShow extends ConclaveCommand {
  static override summary = 'Show a session, with its handles and locks; exit code 3 if there is none.'
  static override examples = ['<%= config.bin %> <%= command.id %> 5f0c6a1be2d09973']
  static override args = {
    id: Args.string({ ignoreStdin: true, description: 'the session, as session list prints it', required: true }),
  }
  static override flags = sessionFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(SessionShow)
    const id = parseSessionId(args.id)
    const { session, handles } = await withSession(flags, (own) => oneSession(own, id))
    this.log(`client ${session.principal}, ttl ${session.lease / 1000} s, ${session.locks} locks\n`)
    const rows = handles.map((handle) => ({ cells: [String(handle.handle), lockText(handle), handle.path] }))
    for (const line of renderColumns(['handle', 'lock', 'path'], new Set(['handle']), rows, color)) this.log(line)
    return { ...sessionJson(session), open: handles.map(handleJson) }
  }
}
