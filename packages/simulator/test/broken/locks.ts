import type { Fixture } from './fixture.ts'

const paper = 'Chubby, OSDI 2006'

/** Mistakes that authors of lock services have made, or could have. */
export const brokenLocks: readonly Fixture[] = [
  {
    name: 'lock-delay ignored',
    invariant: 'lock-delay',
    rule: `when a holder fails, nobody gets the lock before its lock-delay is over (${paper}, section 2.4)`,
    edits: [
      {
        file: 'machine-chubby/applying.ts',
        find: 'const delay = failed && handle.lockDelay > 0 ?',
        replace: 'const delay = failed && handle.lockDelay > Number.MAX_SAFE_INTEGER ?',
      },
    ],
  },
  {
    name: 'expiry by wall clock',
    invariant: 'no early expiry',
    rule: `a new master gives every session a whole lease anew, since no clock of another tells when it ends (${paper}, section 2.9)`,
    edits: [
      {
        file: 'machine-chubby/service/reign.ts',
        find: 'const reconcileMillis = 1000\n',
        replace: 'const reconcileMillis = 1000\nconst recorded = new Map<bigint, number>()\n',
      },
      {
        file: 'machine-chubby/service/reign.ts',
        find: 'new Lease(session, this.#time + session.lease)',
        replace: 'new Lease(session, recorded.get(session.id) ?? this.#time + session.lease)',
      },
      {
        file: 'machine-chubby/service/reign.ts',
        find: '      lease.extend(began + length)\n',
        replace: '      lease.extend(began + length)\n      recorded.set(lease.session.id, began + length)\n',
      },
    ],
  },
  {
    name: 'expire applied under another reign',
    invariant: 'no early expiry',
    rule: 'what a leader decided of a session counts in its own reign only: a later one may have heard of the client',
    edits: [
      {
        file: 'machine-chubby/applying.ts',
        find: "    if (command.epoch !== this.#state.epoch) return refused('other-reign')\n",
        replace: '',
      },
    ],
  },
  {
    name: 'token restarted when a file is recreated',
    invariant: 'fencing tokens',
    rule: 'the fencing token is one counter of the cell: it outlives every file',
    edits: [
      {
        file: 'machine-chubby/applying.ts',
        find: 'grant(node.lock, state.time, state.token + 1n)',
        replace: 'grant(node.lock, state.time, node.lock.generation + 1n)',
      },
    ],
  },
  {
    name: 'invalidation not awaited',
    invariant: 'no stale cache',
    rule: `a write waits until every cacher has dropped what it caches, or its lease has ended (${paper}, section 2.7)`,
    edits: [
      {
        file: 'machine-chubby/service/caches.ts',
        find: '    if (touched.length === 0) return true\n',
        replace: '    if (touched.length >= 0) return true\n',
      },
    ],
  },
  {
    name: 'a new leader that trusts caches',
    invariant: 'no stale cache',
    rule: `a new master takes every session for caching anything, until it has acknowledged the fail-over (${paper}, section 2.9)`,
    edits: [
      {
        file: 'machine-chubby/service/reign.ts',
        find: "this.#caches.suspect(lease, lease.tell({ type: 'failedOver' }))",
        replace: "lease.tell({ type: 'failedOver' })",
      },
    ],
  },
  {
    name: 'KeepAlive answered by a deposed leader',
    invariant: 'no early expiry',
    rule: `a lease is given once a quorum has confirmed that the leader still reigns (${paper}, section 2.8)`,
    edits: [
      {
        file: 'machine-chubby/service/reign.ts',
        find: '    this.#rounds.await((began) => {\n      lease.extending = false',
        replace:
          '    const atOnce = (give: (began: number) => void): void => give(this.#time)\n    atOnce((began) => {\n      lease.extending = false',
      },
      {
        file: 'replica/services.ts',
        find: 'if (id !== this.#init.self || epoch !== host.epoch) host.depose()',
        replace: 'if (epoch === host.epoch && id !== this.#init.self) host.depose()',
      },
    ],
  },
  {
    name: 'a lease counted from its answer',
    invariant: 'no early expiry',
    from: 301,
    rule: `a client counts its lease from when it sent the KeepAlive (${paper}, section 2.8)`,
    edits: [
      {
        file: 'client/locks/keep-alive.ts',
        find: 'deadlineOf(sentAt, heldFor + lease)',
        replace: 'deadlineOf(this.#init.port.clock.now(), heldFor + lease)',
      },
    ],
  },
  {
    name: 'last come, first served',
    invariant: 'first come, first served',
    rule: 'who waits is served in the order of coming, whoever leads',
    edits: [
      {
        file: 'machine-chubby/locks.ts',
        find: 'waiters: [...lock.waiters, waiter],',
        replace: 'waiters: [waiter, ...lock.waiters],',
      },
    ],
  },
]
