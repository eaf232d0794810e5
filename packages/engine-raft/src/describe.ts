import { MalformedBytes } from '@conclave/interface'
import { decodeMessage, type Message } from './messages.ts'

/** A message in a few words, in the paper's terms, for people who read a timeline. Undefined if it does not parse. */
export const describe = (bytes: Uint8Array): string | undefined => {
  try {
    const message = decodeMessage(bytes)
    return `${inWords(message)} term ${message.term}`
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

const inWords = (message: Message): string => {
  switch (message.type) {
    case 'vote':
      return `${message.pre ? 'pre-vote' : message.transfer ? 'vote by transfer' : 'vote'} last ${message.last}/${message.lastTerm}`
    case 'voteReply':
      return `${message.pre ? 'pre-vote' : 'vote'} ${message.granted ? 'granted' : 'refused'}`
    case 'append':
      return `${appended(message)} after ${message.previous}/${message.previousTerm} commit ${message.commit}`
    case 'appendReply':
      return message.ok
        ? `match ${message.match}`
        : `no match at ${message.previous}, conflict ${message.conflict}/${message.conflictTerm}`
    case 'heartbeat':
      return `heartbeat${message.lease ? ' for a lease' : ''} round ${message.round} commit ${message.commit}`
    case 'heartbeatReply':
      return `heartbeat answered${message.promise ? ' with a promise' : ''} round ${message.round}`
    case 'timeoutNow':
      return 'campaign now'
  }
}

const appended = ({ previous, entries }: Message & { type: 'append' }): string => {
  const first = previous + 1
  const last = previous + entries.length
  if (entries.length === 0) return 'append nothing'
  return first === last ? `append ${first}` : `append ${first}..${last}`
}
