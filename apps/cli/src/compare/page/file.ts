import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { CommandFailed, exitCodes } from '../../exit.ts'

const orNoPage = (write: () => void): void => {
  try {
    write()
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    const hint = 'Name a file with --html that can be written.'
    throw new CommandFailed(exitCodes.usage, 'no-page', `the page cannot be written: ${what}`, hint)
  }
}

/** Finds out that the page cannot be written before minutes are spent, not after them. Changes nothing. @throws CommandFailed (2) */
export const tryPage = (file: string): void =>
  orNoPage(() => {
    const isNew = !existsSync(file)
    closeSync(openSync(file, 'a'))
    if (isNew) rmSync(file)
  })

/** @throws CommandFailed (2) if it cannot be written. */
export const writePage = (file: string, page: string): void => orNoPage(() => writeFileSync(file, page))
