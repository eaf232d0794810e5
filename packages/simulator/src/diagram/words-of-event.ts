/** What is written beside an event, and in which style. */
import { faultWords } from '../focus.ts'
import type { TraceEvent } from '../trace.ts'
import { brief } from '../words.ts'

interface Words {
  readonly words: string
  readonly style: string
}

const verbs = {
  started: 'starts',
  stopped: 'stops',
  paused: 'is paused',
  resumed: 'goes on',
  joined: 'joins',
  removed: 'is removed',
} as const

const roleStyle = (role: string): string => {
  if (/^lead/i.test(role)) return 'strong leads'
  return /candidate|looking|prepar/i.test(role) ? 'strong campaigns' : 'faint'
}

/** What is written beside an event; undefined: nothing. */
export const wordsOf = (event: TraceEvent): Words | undefined => {
  switch (event.type) {
    case 'crashed':
      // The cross says that it crashes.
      return { words: event.why ?? 'crashes', style: 'strong violation' }
    case 'started':
    case 'stopped':
    case 'paused':
    case 'resumed':
    case 'joined':
    case 'removed':
      return {
        words: event.why === undefined ? verbs[event.type] : `${verbs[event.type]}: ${event.why}`,
        style: 'strong',
      }
    case 'role':
      return { words: `${event.role} · ${event.epoch}`, style: roleStyle(event.role) }
    case 'restored':
      return { words: `restores to ${event.position}`, style: 'strong' }
    case 'received':
      return { words: brief(event.what), style: '' }
    case 'lost':
      return { words: `lost: ${brief(event.what)}`, style: 'small fault' }
    case 'fault':
      return { words: faultWords(event), style: event.ends ? 'faint' : 'strong fault' }
    case 'healed':
      return { words: 'everything heals', style: 'strong fault' }
    case 'invoked':
      return { words: `c${event.client} ${event.what}`, style: '' }
    case 'returned':
      return { words: `c${event.client} → ${event.what}`, style: '' }
    case 'marked':
      return { words: `✱ ${event.mark}`, style: 'faint' }
    case 'sent':
    case 'appended':
    case 'decided':
    case 'truncated':
    case 'durable':
    case 'violation':
      return undefined
  }
}
