import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** Prints the packages that are loaded with the list of all commands, which every command begins with. */
const program = `
import { registerHooks } from 'node:module'
const packages = new Set()
registerHooks({
  load: (url, context, next) => {
    const [, own, other] = /\\/packages\\/([^/]+)\\/|\\/node_modules\\/(@[^/]+\\/[^/]+|[^/]+)\\//.exec(url) ?? []
    if (own !== undefined || other !== undefined) packages.add(own ?? other)
    return next(url, context)
  },
})
await import('${new URL('../src/index.ts', import.meta.url)}')
console.log(JSON.stringify([...packages]))
process.exit(0)
`

test('help and completion load nothing that only a command at work needs', async () => {
  const args = ['--conditions=@conclave/source', '--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const loaded = JSON.parse(stdout) as string[]
  expect(loaded).toContain('@oclif/core')
  const heavy = [
    'client',
    'proxy',
    'simulator',
    'replica',
    'machine-chubby',
    'transport-libp2p',
    'undici',
    'libp2p',
    'pino',
  ]
  expect(loaded.filter((name) => heavy.includes(name) || name.startsWith('engine-'))).toEqual([])
})
