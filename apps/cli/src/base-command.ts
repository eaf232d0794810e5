import { Command, Errors } from '@oclif/core'
import { CommandFailed, errorJson, exitCodeOf, exitCodes } from './exit.ts'

/** What every command shares: `--json`, exit codes, and errors that say what to do next. */
export abstract class ConclaveCommand extends Command {
  static override enableJsonFlag = true

  protected override async catch(error: Errors.CLIError & { exitCode?: number }): Promise<unknown> {
    // `this.exit` of oclif is a way out, not a failure.
    if (error instanceof Errors.ExitError) throw error
    const usage = 'parse' in error || error.oclif?.exit === exitCodes.usage
    const exit = usage ? exitCodes.usage : exitCodeOf(error)
    process.exitCode = exit
    if (this.jsonEnabled()) {
      const json = errorJson(error)
      this.logJson(usage ? { error: { ...json.error, code: 'usage', exit } } : json)
      return undefined
    }
    if (usage) {
      error.oclif = { ...error.oclif, exit }
      throw error
    }
    process.stderr.write(`${this.describe(error)}\n`)
    throw new Errors.ExitError(exit)
  }

  private describe(error: Error): string {
    const hint = error instanceof CommandFailed ? error.hint : undefined
    const label = color('31', 'error:', process.stderr)
    return hint === undefined ? `${label} ${error.message}` : `${label} ${error.message}\n${hint.replace(/^/gm, '  ')}`
  }

  protected override toErrorJson(error: unknown): unknown {
    return errorJson(error)
  }
}

/** Whether this stream shows colour: a terminal, and nobody asked for none. */
export const colorful = (stream: { readonly isTTY?: boolean }): boolean =>
  stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'

/** `text` in an SGR style (`1` bold, `2` dim, `31` red, `32` green, `33` yellow), if the stream shows colour. */
export const color = (style: string, text: string, stream: { readonly isTTY?: boolean } = process.stdout): string =>
  colorful(stream) ? `\u001b[${style}m${text}\u001b[0m` : text
