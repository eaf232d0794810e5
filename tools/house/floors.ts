// Import floors, as .dependency-cruiser.cjs states them. A checker that read nothing also finds nothing wrong, so this
// one first catches violations that it plants itself, then counts the modules that it read.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { VariableDeclarator } from '@swc/core'
import { Visitor } from '@swc/core/Visitor.js'
import { cruise, type IConfiguration, type ICruiseResult } from 'dependency-cruiser'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { forbidden, options } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as IConfiguration

// dependency-cruiser walks swc's syntax trees with a visitor that was frozen before `using` declarations came; without this it
// fails on the first one. They hold declarators, as any variable declaration does.
const { visitStatement } = Visitor.prototype
Visitor.prototype.visitStatement = function (statement) {
  const { type, decls }: { readonly type: string; readonly decls?: VariableDeclarator[] } = statement
  if (type !== 'UsingDeclaration') return visitStatement.call(this, statement)
  this.visitVariableDeclarators(decls ?? [])
  return statement
}

async function read(baseDir: string): Promise<ICruiseResult> {
  const { output } = await cruise(['packages', 'apps'], {
    ...options,
    baseDir,
    validate: true,
    ruleSet: { forbidden: forbidden ?? [] },
  })
  if (typeof output === 'string') throw new Error('dependency-cruiser answered text, not a result')
  return output
}

/** A small workspace with one violation of each kind, and with imports that are right and must stay unreported. */
const PLANTED: Readonly<Record<string, string>> = {
  'packages/interface/src/index.ts': "import type { Q } from '@conclave/quorum'\nexport type I = Q\n", // up a floor, by type only
  'packages/quorum/src/index.ts': "import { hostname } from 'node:os'\nexport type Q = typeof hostname\n",
  'packages/engine-a/src/index.ts': "import '@conclave/quorum'\nimport './state.ts'\nimport 'left-pad'\n",
  'packages/engine-a/src/state.ts': "export * from '@conclave/engine-b'\n", // sideways on the same floor
  'packages/engine-b/src/index.ts': "import './one.ts'\nimport { readFileSync } from 'node:fs'\nreadFileSync('x')\n",
  'packages/engine-b/src/one.ts': "import './two.ts'\n",
  'packages/engine-b/src/two.ts': "import './one.ts'\n", // a circle
  'packages/engine-b/src/three.ts': "import './four.ts'\nexport type T = 3\n",
  'packages/engine-b/src/four.ts': "import type { T } from './three.ts'\nexport const t: T = 3\n", // allowed: types only
  'packages/balancer-a/src/index.ts': "import 'node:fs'\n",
  'packages/journal-a/src/index.ts': "import 'node:fs'\nimport '@conclave/replica'\n",
  'packages/journal-a/test/a.spec.ts': "import '@conclave/replica'\n", // allowed: it is a test
  'packages/replica/src/index.ts': "import '@conclave/engine-a'\nimport './absent.ts'\n",
  'packages/attic/src/index.ts': "import '@conclave/replica'\n",
  'apps/cli/src/index.ts': "import '@conclave/replica'\nimport 'node:fs'\n",
}

const EXPECTED = [
  'floor-0 packages/interface/src/index.ts',
  'floor-3 packages/engine-a/src/state.ts',
  'floor-3 packages/journal-a/src/index.ts',
  'floor-unknown packages/attic/src/index.ts',
  'no-circular packages/engine-b/src/one.ts',
  'not-to-unresolvable packages/engine-a/src/index.ts',
  'not-to-unresolvable packages/replica/src/index.ts',
  'pure-imports-pure packages/balancer-a/src/index.ts',
  'pure-imports-pure packages/engine-a/src/index.ts',
  'pure-imports-pure packages/engine-b/src/index.ts',
  'pure-imports-pure packages/quorum/src/index.ts',
]

async function catchesPlantedViolations(): Promise<string[]> {
  const planted = mkdtempSync(join(tmpdir(), 'conclave-floors-'))
  try {
    mkdirSync(join(planted, 'node_modules/@conclave'), { recursive: true })
    for (const [path, source] of Object.entries(PLANTED)) {
      mkdirSync(join(planted, dirname(path)), { recursive: true })
      writeFileSync(join(planted, path), source)
      const [parent = '', name = ''] = path.split('/')
      if (!path.endsWith('src/index.ts')) continue
      const manifest = { name: `@conclave/${name}`, exports: { '.': { '@conclave/source': './src/index.ts' } } }
      writeFileSync(join(planted, parent, name, 'package.json'), JSON.stringify(manifest))
      symlinkSync(join(planted, parent, name), join(planted, 'node_modules/@conclave', name))
    }
    const { summary } = await read(planted)
    const found = [...new Set(summary.violations.map(({ rule, from }) => `${rule.name} ${from}`))].sort()
    return [
      ...EXPECTED.filter((line) => !found.includes(line)).map(
        (line) => `self-test: a planted violation was missed: ${line}`,
      ),
      ...found.filter((line) => !EXPECTED.includes(line)).map((line) => `self-test: reported without cause: ${line}`),
    ]
  } finally {
    rmSync(planted, { recursive: true, force: true })
  }
}

const isModule = /^(?:packages|apps)\/[^/]+\/(?:src|test|bin)\/.*\.(?:ts|js|mjs|cjs)$/
const PURE = /^packages\/(?:interface|quorum|balance|linearizability|engine-[^/]+|machine-[^/]+|balancer-[^/]+)\/src\//

async function readsThisWorkspace(): Promise<string[]> {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'packages', 'apps'], {
    cwd: root,
    encoding: 'utf8',
  })
  const gone = new Set(
    execFileSync('git', ['ls-files', '--deleted', 'packages', 'apps'], { cwd: root, encoding: 'utf8' }).split('\n'),
  )
  const files = listed.split('\n').filter((path) => isModule.test(path) && !gone.has(path))
  const { modules, summary } = await read(root)
  const seen = new Set(modules.map(({ source }) => source))
  const links = modules.reduce((sum, { dependencies }) => sum + dependencies.length, 0)
  console.log(`floors: ${files.length} modules of the workspace read, ${links} imports`)

  const problems = summary.violations.map(
    ({ rule, from, to }) => `${rule.name}: ${from} -> ${to} (${comment(rule.name)})`,
  )
  for (const path of files) if (!seen.has(path)) problems.push(`not read: ${path}`)
  for (const path of files.filter((file) => PURE.test(file))) {
    if (/\bMath\.random\b/.test(readFileSync(join(root, path), 'utf8')))
      problems.push(`Math.random in pure code: ${path}`)
  }
  if (files.length === 0) problems.push('no modules found')
  return problems
}

function comment(name: string): string {
  return forbidden?.find((rule) => rule.name === name)?.comment ?? 'see .dependency-cruiser.cjs'
}

const problems = [...(await catchesPlantedViolations()), ...(await readsThisWorkspace())]
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1
