import { buffer } from 'node:stream/consumers'
import type { FileProblem } from '@conclave/client'
import { Args, Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { fileProblemOf } from '../../locks/file-problem.ts'
import { nameArg, pathOf } from '../../locks/name.ts'
import { sessionFlags, withSession } from '../../locks/open-session.ts'

/** @throws CommandFailed (2) unless it is a whole number. */
const parseGeneration = (text: string): bigint => {
  if (/^\d{1,19}$/.test(text)) return BigInt(text)
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-generation',
    `"${text}" is no generation`,
    'Write a whole number, as fs stat prints it; 0 stands for "the file must not exist".',
  )
}

export class FsWrite extends ConclaveCommand {
  static override summary = 'Write a file whole; it is made if it is not there, and the directories on the way.'
  static override description = 'Without CONTENTS, standard input is written: at most 256 KiB.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> service/config "replicas: 3"',
    '<%= config.bin %> <%= command.id %> service/config --if-generation 4 < config.yaml',
  ]
  static override args = {
    ...nameArg('the file'),
    contents: Args.string({ ignoreStdin: true, description: 'what is written; standard input if absent' }),
  }
  static override flags = {
    ...sessionFlags,
    'if-generation': Flags.string({
      description: 'only if its content generation is this; 0: only if it does not exist',
      helpValue: 'N',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FsWrite)
    const expected = flags['if-generation']
    const options = expected === undefined ? {} : { ifGeneration: parseGeneration(expected) }
    const contents = args.contents ?? (await buffer(process.stdin))
    const generation = await withSession(flags, async (session) => {
      try {
        return await session.write(pathOf(args.name), contents, options)
      } catch (error) {
        const problem = fileProblemOf(error)
        throw problem === undefined ? error : refusal(problem, args.name)
      }
    })
    this.log(`generation ${generation}`)
    return { name: args.name, contentGeneration: String(generation) }
  }
}

const refusal = (error: FileProblem, name: string): Error => {
  const { code, generation } = error
  if (code === 'mismatch')
    return new CommandFailed(
      exitCodes.refused,
      code,
      `${name} was not written: its content generation is ${generation ?? 'another'}`,
      `Read it again, then decide: conclave fs cat ${name}`,
    )
  if (code === 'exists') return new CommandFailed(exitCodes.refused, code, `${name} was not written: it exists already`)
  return error
}
