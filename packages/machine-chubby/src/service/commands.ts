import type { ChubbyCommand } from '../commands.ts'

/** The session that a command speaks for; undefined for what only the service itself may decide. */
export const sessionOf = (command: ChubbyCommand): bigint | undefined =>
  command.type === 'expire' || command.type === 'lift' ? undefined : command.session

/** Commands of one handle are let in one after the other, each once the one before is settled: which paths it touches depends on it. */
export const laneOf = (command: ChubbyCommand): string => {
  switch (command.type) {
    case 'open':
    case 'close':
    case 'acquire':
    case 'release':
    case 'write':
    case 'setAcl':
    case 'delete':
    case 'setSequencer':
      return `${command.session}:${command.handle}`
    case 'createSession':
    case 'endSession':
    case 'expire':
    case 'raiseToken':
      return `${command.session}`
    case 'lift':
      return ''
  }
}
