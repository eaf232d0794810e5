import type { Fixture } from './fixture.ts'

const paper = 'Chubby, OSDI 2006'

/** Mistakes that authors of lock services have made, or could have. */
export const brokenLocks: readonly Fixture[] = [
  {
    name: 'lock-delay ignored',
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
    name: 'token restarted when a file is recreated',
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
    rule: `a write waits until every cacher has dropped what it caches, or its lease has ended (${paper}, section 2.7)`,
    edits: [
      {
        file: 'machine-chubby/service/admissions.ts',
        find: '    if (!this.#init.caches.isFlushed(admission.touched)) return\n',
        replace: '',
      },
    ],
  },
  {
    name: 'a new leader that trusts caches',
    rule: `a new master takes every session for caching anything, until it has acknowledged the fail-over (${paper}, section 2.9)`,
    edits: [
      {
        file: 'machine-chubby/service/reign.ts',
        find: "this.#caches.suspect(lease, lease.tell({ type: 'failedOver' }))",
        replace: "lease.tell({ type: 'failedOver' })",
      },
    ],
  },
]
