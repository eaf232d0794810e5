import { ConclaveCommand, color } from '../../base-command.ts'
import { allSessions, type SessionInfo } from '../../locks/list-pages.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'
import { sessionIdText } from '../../locks/session-id.ts'
import { renderColumns } from '../../view.ts'

/** What `--json` says of a session. */
export const sessionJson = ({ session, ...rest }: SessionInfo) => ({ session: sessionIdText(session), ...rest })

export class SessionList extends ConclaveCommand {
  static override summary = 'List the sessions with the lock service: whose they are, and what they hold.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']
  static override flags = sessionFlags

  async run(): Promise<unknown> {
    const { flags } = await this.parse(SessionList)
    const sessions = await withSession(flags, allSessions)
    const rows = sessions.map(({ session, lease, handles, locks, principal }) => ({
      cells: [sessionIdText(session), `${lease / 1000} s`, String(handles), String(locks), principal],
    }))
    const numeric = new Set(['ttl', 'handles', 'locks'])
    for (const line of renderColumns(['session', 'ttl', 'handles', 'locks', 'client'], numeric, rows, color))
      this.log(line)
    return { sessions: sessions.map(sessionJson) }
  }
}
