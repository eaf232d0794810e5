import type { Mark } from '../marks.ts'

/** What lock clients see, and what happens to their locks. Hit by the scene and by the watch. */
export const lockMarks: readonly Mark[] = [
  { name: 'jeopardy to safe' },
  { name: 'jeopardy to expired' },
  { name: 'write waited for a dead cacher' },
  { name: 'waiter granted after a fail-over' },
  { name: 'expire dropped for its epoch' },
  { name: 'lock-delay ran out with a waiter' },
  { name: 'session expired' },
  { name: 'session expired while holding' },
  { name: 'token refused by the fence' },
  { name: 'session ended by its next life' },
  { name: 'directory removed' },
  { name: 'read denied' },
]
