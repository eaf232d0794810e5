import { MalformedBytes } from '@conclave/interface'
import { decodeMessage, type Message, type MessageOf } from './messages.ts'
import { showZxid } from './zxid.ts'

/** A message in a few words, in the words of the paper and of ZooKeeper, for people who read a timeline. Undefined if it does not parse. */
export const describe = (bytes: Uint8Array): string | undefined => {
  try {
    return inWords(decodeMessage(bytes))
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

const inWords = (message: Message): string => {
  const { epoch } = message
  switch (message.type) {
    case 'notification':
      return notification(message)
    case 'cepoch':
      return `CEPOCH ${epoch}`
    case 'newEpoch':
      return `NEWEPOCH ${epoch}`
    case 'ackEpoch':
      return `ACKEPOCH ${epoch}: epoch ${message.currentEpoch}, up to ${message.last} (${showZxid(message.zxid)})`
    case 'trunc':
      return `TRUNC after ${showZxid(message.zxid)}, epoch ${epoch}`
    case 'diff':
      return `DIFF after ${message.position} (${showZxid(message.zxid)}), epoch ${epoch}`
    case 'propose':
      return `PROPOSE ${proposed(message)} commit ${message.committed} epoch ${epoch}`
    case 'ack':
      return `ACK ${message.position}${message.resume ? ' and resume' : ''} epoch ${epoch}`
    case 'newLeader':
      return `NEWLEADER ${epoch} up to ${message.position}`
    case 'ackLeader':
      return `ACKLD ${epoch}`
    case 'commitLeader':
      return `COMMITLD ${epoch} up to ${message.committed}`
    case 'commit':
      return `COMMIT ${message.committed} epoch ${epoch}`
    case 'ping':
      return `ping${message.lease ? ' for a lease' : ''} round ${message.round} commit ${message.committed} epoch ${epoch}`
    case 'pong':
      return `pong${message.pledged ? ' with a pledge' : ''} round ${message.round} epoch ${epoch}`
    case 'handOver':
      return `hand over epoch ${epoch}`
    case 'takeOver':
      return `take over epoch ${epoch}`
  }
}

const notification = ({ state, round, vote }: MessageOf<'notification'>): string => {
  const voted = vote === undefined ? 'nobody' : `${vote.leader} (epoch ${vote.epoch}, ${showZxid(vote.zxid)})`
  return `${state} round ${round} vote for ${voted}`
}

const proposed = ({ first, transactions }: MessageOf<'propose'>): string => {
  const last = first + transactions.length - 1
  const zxid = transactions.at(-1)?.zxid
  if (zxid === undefined) return 'nothing'
  return `${first === last ? first : `${first}..${last}`} (${showZxid(zxid)})`
}
