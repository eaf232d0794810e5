import { type EngineSearch, engineNames } from '@conclave/node/engines'
import { type Config, Flags } from '@oclif/core'

const others = 'the path of an engine (./my-engine, ./my-engine.js), or the name of a package'

/** `--engine`. */
export const engineFlag = (what: string) =>
  Flags.string({ description: `${what}: ${engineNames.join(', ')}, ${others}`, helpValue: 'NAME|PATH|PACKAGE' })

/** Where engines are looked for: from `from`, then where `conclave plugins install` puts packages. */
export const engineSearch = ({ dataDir }: Pick<Config, 'dataDir'>, from = process.cwd()): EngineSearch => ({
  from,
  also: [dataDir],
})
