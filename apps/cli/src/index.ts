import type { Hook } from '@oclif/core'
import { BalanceSimulate } from './commands/balance/simulate.ts'
import { Compare } from './commands/compare.ts'
import { Down } from './commands/down.ts'
import { Elect } from './commands/elect.ts'
import { FsAcl } from './commands/fs/acl.ts'
import { FsCat } from './commands/fs/cat.ts'
import { FsLs } from './commands/fs/ls.ts'
import { FsMkdir } from './commands/fs/mkdir.ts'
import { FsRm } from './commands/fs/rm.ts'
import { FsStat } from './commands/fs/stat.ts'
import { FsWatch } from './commands/fs/watch.ts'
import { FsWrite } from './commands/fs/write.ts'
import { Init } from './commands/init.ts'
import { KvDel } from './commands/kv/del.ts'
import { KvGet } from './commands/kv/get.ts'
import { KvImport } from './commands/kv/import.ts'
import { KvLs } from './commands/kv/ls.ts'
import { KvPut } from './commands/kv/put.ts'
import { KvWatch } from './commands/kv/watch.ts'
import { Lock } from './commands/lock.ts'
import { LockList } from './commands/lock-list.ts'
import { LockToken } from './commands/lock-token.ts'
import { Logs } from './commands/logs.ts'
import { MemberAdd } from './commands/member/add.ts'
import { MemberPromote, MemberRemove, MemberUpdate, MoveLeader } from './commands/member/change.ts'
import { MemberList } from './commands/member/list.ts'
import { NodeKill, NodePause, NodeRestart, NodeResume } from './commands/node/control.ts'
import { NodeStart } from './commands/node/start.ts'
import { ProxyCommand } from './commands/proxy.ts'
import { ServiceDeregister } from './commands/service/deregister.ts'
import { ServiceList } from './commands/service/list.ts'
import { ServiceRegister } from './commands/service/register.ts'
import { ServiceWatch } from './commands/service/watch.ts'
import { SessionEnd } from './commands/session/end.ts'
import { SessionList } from './commands/session/list.ts'
import { SessionShow } from './commands/session/show.ts'
import { Simulate } from './commands/simulate.ts'
import { Status } from './commands/status.ts'
import { Up } from './commands/up.ts'
import { exitCodes } from './exit.ts'

/** An unknown command is a usage error. */
export const COMMAND_NOT_FOUND: Hook.CommandNotFound = async ({ id, context }) => {
  context.error(`there is no command "${id.replaceAll(':', ' ')}"; conclave --help lists them`, {
    exit: exitCodes.usage,
  })
}

/** `plugins install` takes local packages too. */
export const PREPARSE: Hook.Preparse = async ({ argv, options: { context }, config }) => {
  if (context?.id !== 'plugins:install') return argv
  const { withLocalPackages } = await import('./plugins.ts')
  return withLocalPackages(argv, config.dataDir)
}

/** Every command, by its id. */
export const COMMANDS = {
  up: Up,
  down: Down,
  status: Status,
  simulate: Simulate,
  compare: Compare,
  'balance:simulate': BalanceSimulate,
  logs: Logs,
  init: Init,
  'node:start': NodeStart,
  'node:kill': NodeKill,
  'node:pause': NodePause,
  'node:resume': NodeResume,
  'node:restart': NodeRestart,
  'member:list': MemberList,
  'member:add': MemberAdd,
  'member:remove': MemberRemove,
  'member:promote': MemberPromote,
  'member:update': MemberUpdate,
  'move-leader': MoveLeader,
  'kv:put': KvPut,
  'kv:get': KvGet,
  'kv:del': KvDel,
  'kv:ls': KvLs,
  'kv:watch': KvWatch,
  'kv:import': KvImport,
  proxy: ProxyCommand,
  lock: Lock,
  elect: Elect,
  'lock-list': LockList,
  'lock-token': LockToken,
  'fs:ls': FsLs,
  'fs:cat': FsCat,
  'fs:write': FsWrite,
  'fs:mkdir': FsMkdir,
  'fs:rm': FsRm,
  'fs:stat': FsStat,
  'fs:acl': FsAcl,
  'fs:watch': FsWatch,
  'service:register': ServiceRegister,
  'service:list': ServiceList,
  'service:watch': ServiceWatch,
  'service:deregister': ServiceDeregister,
  'session:list': SessionList,
  'session:show': SessionShow,
  'session:end': SessionEnd,
}
