import { MalformedBytes } from '@conclave/interface'
import type { LogPart } from './log.ts'
import { decodeMessage, type Message } from './messages.ts'

/** A message in a few words, in the paper's terms, for people who read a timeline. Undefined if it does not parse. */
export const describe = (bytes: Uint8Array): string | undefined => {
  try {
    const message = decodeMessage(bytes)
    return `${inWords(message)} view ${message.view}`
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

const ops = ({ after, entries }: LogPart): string =>
  entries.length === 0 ? `nothing after ${after}` : `${after + 1}..${after + entries.length}`

const inWords = (message: Message): string => {
  switch (message.type) {
    case 'suspect':
      return 'SUSPECT'
    case 'startViewChange':
      return 'STARTVIEWCHANGE'
    case 'doViewChange':
      return `DOVIEWCHANGE last normal ${message.lastNormal} op ${message.op} commit ${message.commit}`
    case 'startView':
      return `STARTVIEW ${ops(message.part)} commit ${message.commit}`
    case 'prepare':
      return `PREPARE ${ops(message.part)} commit ${message.commit}`
    case 'prepareOk':
      return `PREPAREOK ${message.op}`
    case 'commit':
      return `COMMIT ${message.commit} of ${message.op} round ${message.round}`
    case 'commitOk':
      return `COMMITOK round ${message.round}`
    case 'getState':
      return `GETSTATE after ${message.after}`
    case 'newState':
      return `NEWSTATE ${ops(message.part)} commit ${message.commit}`
  }
}
