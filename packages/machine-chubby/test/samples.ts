import { epoch } from '@conclave/interface'
import type {
  AclNames,
  CallReply,
  ChubbyCall,
  ChubbyCommand,
  ChubbyQuery,
  CommandReply,
  FileContents,
  Grant,
  Notice,
  OpenCommand,
  QueryReply,
  Sequencer,
  SessionInfo,
  Stat,
} from '../src/index.ts'

// One of everything there is in the formats, with numbers that tell the fields apart.
const bytes = (...each: number[]): Uint8Array => Uint8Array.from(each)
const on = { session: 0x0102030405060708n, handle: 0x0a0b0c0d }
const acl: AclNames = { read: 'r', write: '', changeAcl: 'é' }
const grant: Grant = { mode: 'shared', token: 258n, lockGeneration: 3n, instance: 4n }

export const sequencer: Sequencer = { ...grant, path: '/ls/c/f' }

const open: OpenCommand = {
  type: 'open',
  ...on,
  path: '/ls/c/f',
  access: { read: true, write: true, changeAcl: false },
  subscriptions: ['contents', 'conflicting'],
  lockDelay: 500,
  create: 'missing',
  kind: 'file',
  ephemeral: true,
  parents: false,
  contents: bytes(1, 2),
}

export const commands: readonly ChubbyCommand[] = [
  { type: 'createSession', session: on.session, principal: 'p', lease: 12_000 },
  { type: 'endSession', session: on.session },
  open,
  { ...open, create: 'new', kind: 'directory', ephemeral: false, parents: true, contents: bytes() },
  { ...open, create: 'no', lock: { mode: 'exclusive', queue: false } },
  { ...open, lock: { mode: 'shared', queue: true } },
  { type: 'close', ...on },
  { type: 'acquire', ...on, mode: 'shared', queue: true },
  { type: 'release', ...on },
  { type: 'write', ...on, contents: bytes(1) },
  { type: 'write', ...on, contents: bytes(1), ifGeneration: 5n },
  { type: 'setAcl', ...on, acl },
  { type: 'setAcl', ...on, acl, ifGeneration: 5n },
  { type: 'delete', ...on },
  { type: 'setSequencer', ...on, sequencer: bytes(9, 9) },
  { type: 'raiseToken', session: on.session, above: 6n },
  { type: 'expire', session: on.session, epoch: epoch(7n) },
  { type: 'lift', epoch: epoch(7n) },
]

export const replies: readonly CommandReply[] = [
  { status: 'refused', problem: 'denied' },
  { status: 'refused', problem: 'mismatch', detail: 5n },
  { status: 'done', token: 6n },
  { status: 'opened', created: true, instance: 2n, contentGeneration: 1n },
  { status: 'opened', created: false, instance: 2n, contentGeneration: 1n, lock: { state: 'held', ...grant } },
  { status: 'lock', lock: { state: 'queued', position: 3 } },
  { status: 'lock', lock: { state: 'busy', delayed: true } },
  { status: 'released', had: 'nothing' },
  { status: 'released', had: 'lock' },
  { status: 'released', had: 'place' },
  { status: 'written', contentGeneration: 5n },
  { status: 'aclSet', aclGeneration: 5n },
  { status: 'deleted' },
]

export const queries: readonly ChubbyQuery[] = [
  { type: 'stat', path: '/ls/c' },
  { type: 'file', path: '/ls/c/f' },
  { type: 'children', path: '/ls/c', after: 'a', limit: 9 },
  { type: 'checkSequencer', sequencer: bytes(9) },
  { type: 'sessions', after: 1n, limit: 9 },
  { type: 'session', session: on.session, after: 2 },
  { type: 'locks', prefix: '/ls', after: '/ls/c', limit: 9 },
  { type: 'info' },
]

const stat: Stat = {
  path: '/ls/c/f',
  kind: 'file',
  ephemeral: true,
  instance: 2n,
  contentGeneration: 3n,
  lockGeneration: 4n,
  aclGeneration: 5n,
  size: 6,
  checksum: 0xfffffffe,
  acl,
  handles: 7,
  lock: { mode: 'shared', holders: 8, waiters: 9, delay: 1.5 },
}
const file: FileContents = { instance: 2n, contentGeneration: 3n, checksum: 4, contents: bytes(1, 2) }
const session: SessionInfo = { session: on.session, principal: 'p', lease: 12_000, handles: 2, locks: 1 }

export const answers: readonly QueryReply[] = [
  { status: 'refused', problem: 'no-node' },
  { status: 'stat', stat },
  { status: 'file', file },
  { status: 'children', more: true, children: [stat] },
  { status: 'sequencer', valid: true },
  { status: 'sessions', more: false, sessions: [session] },
  {
    status: 'session',
    more: false,
    session,
    handles: [
      { handle: 1, path: '/ls/c', valid: true, lock: { state: 'none' } },
      { handle: 2, path: '/ls/c/f', valid: false, lock: { state: 'queued', position: 3 } },
    ],
  },
  {
    status: 'locks',
    more: false,
    locks: [
      {
        path: '/ls/c/f',
        mode: 'exclusive',
        token: 2n,
        lockGeneration: 3n,
        holders: [{ session: 4n, handle: 1, principal: 'p' }],
        waiters: [{ session: 5n, handle: 2, principal: 'q', mode: 'shared' }],
        delay: 0,
      },
    ],
  },
  { status: 'info', token: 2n, nodes: 3, sessions: 4 },
]

export const calls: readonly ChubbyCall[] = [
  { type: 'keepAlive', session: on.session, epoch: epoch(2n), acked: 3 },
  { type: 'read', session: on.session, path: '/ls/c/f' },
  { type: 'query', local: true, query: { type: 'info' } },
]

const notices: readonly Notice[] = [
  { type: 'failedOver' },
  { type: 'lost' },
  { type: 'invalidate', path: '/ls/c/f' },
  { type: 'invalidate', path: '' },
  { type: 'granted', handle: 1, ...grant },
  { type: 'contents', handle: 1, contentGeneration: 5n },
  { type: 'children', handle: 1, change: 'removed', name: 'f' },
  { type: 'invalid', handle: 1 },
  { type: 'acquired', handle: 1 },
  { type: 'conflicting', handle: 1 },
]

export const callReplies: readonly CallReply[] = [
  { type: 'refused', problem: 'no-session' },
  { type: 'alive', epoch: epoch(2n), lease: 12_000, heldFor: 0.5, notices: [] },
  ...notices.map((notice, at): CallReply => {
    return { type: 'alive', epoch: epoch(2n), lease: 0, heldFor: 0, notices: [{ serial: at + 1, notice }] }
  }),
  { type: 'file', cacheable: false },
  { type: 'file', cacheable: true, file },
  { type: 'answer', reply: { status: 'refused', problem: 'denied' } },
]
