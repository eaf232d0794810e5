import { ConclaveCommand, color } from '../base-command.ts'
import { allLocks, type LockInfo } from '../locks/list-pages.ts'
import { optionalNameArg, pathOf } from '../locks/name.ts'
import { sessionFlags, withSession } from '../locks/open-session.ts'
import { sessionIdText } from '../locks/session-id.ts'
import { renderColumns } from '../view.ts'

const withIds = <Owner extends { readonly session: bigint }>(owners: readonly Owner[]) =>
  owners.map((owner) => ({ ...owner, session: sessionIdText(owner.session) }))

const lockJson = ({ token, lockGeneration, holders, waiters, ...rest }: LockInfo) => ({
  ...rest,
  token: String(token),
  lockGeneration: String(lockGeneration),
  holders: withIds(holders),
  waiters: withIds(waiters),
})

const stateText = ({ mode, delay }: LockInfo): string => {
  if (mode !== 'free') return mode
  return delay === 0 ? 'free' : `delayed ${delay} ms`
}

const idsText = (owners: readonly { readonly session: bigint }[]): string =>
  owners.map(({ session }) => sessionIdText(session)).join(' ') || '-'

export class LockList extends ConclaveCommand {
  static override summary = 'List the locks that are held, waited for, or under a lock-delay.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> jobs --json']
  static override args = optionalNameArg('a lock, or the directory below which they are')
  static override flags = sessionFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(LockList)
    const locks = await withSession(flags, (session) => allLocks(session, pathOf(args.name)))
    const rows = locks.map((lock) => ({
      cells: [lock.path, stateText(lock), String(lock.token), String(lock.waiters.length), idsText(lock.holders)],
    }))
    const titles = ['lock', 'state', 'token', 'waiting', 'held by session']
    for (const line of renderColumns(titles, new Set(['token', 'waiting']), rows, color)) this.log(line)
    return { locks: locks.map(lockJson) }
  }
}
