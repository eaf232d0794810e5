// `npm run check`: types, tests' types, lint and format, import floors. Runs all of them, also after one has failed.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', 'tsc', '-b'],
  ['types of tests, tools and examples', 'tsc', '-b', 'tsconfig.tests.json'],
  ['lint and format', 'biome', 'check', '--error-on-warnings'],
  ['import floors', process.execPath, 'tools/house/floors.ts'],
]

let failed = 0
for (const [name, command, ...args] of CHECKS) {
  const started = performance.now()
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  const ok = status === 0
  if (!ok) failed += 1
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)${error === undefined ? '' : `: ${error.message}`}`)
}
console.log(`${CHECKS.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
