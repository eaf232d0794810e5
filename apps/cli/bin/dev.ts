#!/usr/bin/env -S node --conditions=@conclave/source
// The CLI from source: `node --conditions=@conclave/source apps/cli/bin/dev.ts kv get greeting`.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Config, flush, handle, type Interfaces, run } from '@oclif/core'

const root = fileURLToPath(new URL('..', import.meta.url))
const pjson: Interfaces.PJSON = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))
pjson.oclif.commands = { strategy: 'explicit', target: './src/index.ts', identifier: 'COMMANDS' }
pjson.oclif.hooks = {
  command_not_found: { target: './src/index.ts', identifier: 'COMMAND_NOT_FOUND' },
  preparse: { target: './src/index.ts', identifier: 'PREPARSE' },
}

try {
  await run(process.argv.slice(2), await Config.load({ root, pjson }))
  await flush()
  process.stdout.write('', () => process.exit())
} catch (error) {
  await handle(error as Error)
}
