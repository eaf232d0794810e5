// `npm run check:packages`: are the packages good outside this workspace? Packs every public one, looks into the
// tarballs, installs them into an empty project, and imports, requires and type-checks them there. Engines among the
// examples are built and tested as their authors would, outside the workspace, with the tarballs that they name.
// `--keep` leaves the temporary directory for a look.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, normalize, relative } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { pack, publicPackages, root } from './pack.ts'
import { followTutorial } from './tutorial.ts'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports?: Record<string, unknown>
  readonly scripts?: Record<string, string>
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
}

interface Packed {
  readonly manifest: Manifest
  readonly tarball: string
  /** The tarball's contents, unpacked. */
  readonly folder: string
}

const temp = mkdtempSync(join(tmpdir(), 'conclave-packages-'))
const project = join(temp, 'project')
const bin = (name: string) => join(root, 'node_modules/.bin', name)

/** The combined output of a command, in the temporary directory unless told otherwise. Throws it when the command fails. */
function run(command: string, args: readonly string[], cwd = temp, env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024, timeout: 10 * 60_000 }
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`.trim()))
    })
    child.stdin?.end()
  })
}

const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T

async function unpack(folder: string): Promise<Packed> {
  const { name } = readJson<Manifest>(join(root, folder, 'package.json'))
  const place = join(temp, 'packed', name.replace('/', '-'))
  const tarball = await pack(folder, place)
  await run('tar', ['-xzf', tarball], place)
  const inside = join(place, 'package')
  return { manifest: readJson(join(inside, 'package.json')), tarball, folder: inside }
}

/** What a manifest and a tarball must not carry. */
function contents(packed: readonly Packed[]): string[] {
  const versions = new Map(packed.map(({ manifest }) => [manifest.name, manifest.version]))
  return packed.flatMap(({ manifest, folder }) => {
    const problems: string[] = []
    const { dependencies, optionalDependencies, peerDependencies, devDependencies, scripts } = manifest
    if (devDependencies !== undefined) problems.push('devDependencies: they belong in the root manifest')
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) {
      if (scripts?.[name] !== undefined) problems.push(`a script that runs on install: ${name}`)
    }
    for (const [name, range] of Object.entries({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      if (/^node(?:-|$)/.test(name)) problems.push(`a Node binary among the dependencies: ${name}`)
      if (/^(?:file|link|workspace|git|https?):/.test(range)) problems.push(`a dependency by place: ${name}@${range}`)
      if (!name.startsWith('@conclave/')) continue
      if (versions.get(name) !== range) problems.push(`${name}@${range}, but ${versions.get(name)} is packed`)
    }
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (/\.tsbuildinfo$|\.tgz$|^test\/|^node_modules\//.test(file)) problems.push(`a file too many: ${file}`)
      if (!file.endsWith('.map')) continue
      const { sources } = readJson<{ sources: string[] }>(join(folder, file))
      for (const source of sources) {
        const target = normalize(join(dirname(file), source))
        if (!existsSync(join(folder, target)))
          problems.push(`${file} points at ${target}: stale dist? (rm -r its dist)`)
      }
    }
    for (const file of ['README.md', 'dist/index.js', 'dist/index.d.ts']) {
      if (!existsSync(join(folder, file))) problems.push(`no ${file}`)
    }
    return problems.map((problem) => `${manifest.name}: ${problem}`)
  })
}

/** Every path that a user can import, `@conclave/client/protocol` included. */
function entries(packed: readonly Packed[]): string[] {
  return packed.flatMap(({ manifest }) =>
    Object.keys(manifest.exports ?? {})
      .filter((path) => !path.endsWith('.json'))
      .map((path) => manifest.name + path.slice(1)),
  )
}

async function install(packed: readonly Packed[]): Promise<string[]> {
  const { devDependencies = {} } = readJson<Manifest>(join(root, 'package.json'))
  const pick = (name: string) => ({ [name]: devDependencies[name] ?? 'latest' })
  writeProject({
    'package.json': JSON.stringify({
      name: 'a-user',
      version: '1.0.0',
      private: true,
      dependencies: Object.fromEntries(
        packed.map((each) => [each.manifest.name, `file:${relative(project, each.tarball)}`]),
      ),
      devDependencies: { ...pick('typescript'), ...pick('@types/node') },
    }),
  })
  await run('npm', ['install', '--no-fund', '--no-audit', '--loglevel=error'], project)
  const lock = readJson<{ packages: Record<string, { resolved?: string }> }>(join(project, 'package-lock.json'))
  return Object.entries(lock.packages)
    .filter(([path, { resolved }]) => path.includes('/@conclave/') && !resolved?.startsWith('file:'))
    .map(([path]) => `${path} came from elsewhere than its tarball`)
}

function writeProject(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true })
    writeFileSync(join(project, path), text)
  }
}

const runNode = (...args: string[]) => run(process.execPath, args, project)

async function esmProgram(names: readonly string[]): Promise<string[]> {
  const imports = names.map((name, i) => `import * as m${i} from '${name}'`).join('\n')
  const asserts = names.map((name, i) => `check('${name}', m${i})`).join('\n')
  const check = `function check(name, found) { if (Object.keys(found) === undefined) throw new Error(name) }`
  writeProject({ 'program.mjs': `${imports}\n${check}\n${asserts}\nprocess.exit(0)\n` })
  await runNode('program.mjs')
  return []
}

async function requireProgram(names: readonly string[]): Promise<string[]> {
  const imports = names.map((name) => `  '${name}': require('${name}'),`).join('\n')
  const same = `
const names = Object.keys(all)
Promise.all(names.map((name) => import(name))).then((modules) => {
  for (const [i, found] of modules.entries()) {
    if (Object.keys(found).some((key) => found[key] !== all[names[i]][key])) throw new Error(names[i] + ' exists twice')
  }
  process.exit(0)
})`
  writeProject({ 'program.cjs': `const all = {\n${imports}\n}\n${same}\n` })
  await runNode('program.cjs')
  return []
}

async function commandLine(): Promise<string[]> {
  const conclave = join(project, 'node_modules/.bin/conclave')
  const version = await run(conclave, ['--version'], project)
  await run(conclave, ['--help'], project)
  return version.startsWith('@conclave/cli/') ? [] : [`conclave --version printed ${version}`]
}

/** `skipLibCheck: false` reads every declaration file that a user's program reaches, other people's included. */
async function types(names: readonly string[], compilerOptions: Record<string, unknown>): Promise<string[]> {
  const label = `${String(compilerOptions.moduleResolution)}-${compilerOptions.lib === undefined ? 'dom' : 'node'}`
  const esm = names.map((name, i) => `import * as m${i} from '${name}'\nexport const v${i}: object = m${i}`).join('\n')
  const cjs = names.map((name, i) => `import m${i} = require('${name}')\nexport const v${i}: object = m${i}`).join('\n')
  const both = compilerOptions.moduleResolution === 'nodenext'
  writeProject({
    [`${label}/esm.mts`]: `${esm}\n`,
    ...(both ? { [`${label}/cjs.cts`]: `${cjs}\n` } : {}),
    [`${label}/tsconfig.json`]: JSON.stringify({
      compilerOptions: {
        target: 'es2024',
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
        ...compilerOptions,
      },
      include: ['*.mts', '*.cts'],
    }),
  })
  await runNode('node_modules/typescript/bin/tsc', '-p', label, '--pretty', 'false')
  return []
}

async function lint(packed: readonly Packed[]): Promise<string[]> {
  const problems: string[] = []
  for (const { manifest, folder } of packed) {
    const { messages, pkg } = await publint({ pkgDir: folder, pack: false, strict: true })
    for (const message of messages)
      problems.push(`${manifest.name}: ${formatMessage(message, pkg ?? {}) ?? message.code}`)
  }
  return problems
}

async function typesAreRight(packed: readonly Packed[]): Promise<string[]> {
  for (const { tarball } of packed) {
    await run(bin('attw'), [tarball, '--profile', 'esm-only', '--no-definitely-typed', '--no-emoji', '--no-color'])
  }
  return []
}

const engineExamples = (): string[] =>
  readdirSync(join(root, 'examples')).filter((name) => /^engine-/.test(name) && !name.includes('.'))

/** The packed packages that are reached from these names: npm would look for the others in a registry. */
function reached(packed: readonly Packed[], names: readonly string[]): Packed[] {
  const found = new Set<Packed>()
  const visit = (name: string): void => {
    const each = packed.find(({ manifest }) => manifest.name === name)
    if (each === undefined || found.has(each)) return
    found.add(each)
    for (const next of Object.keys(each.manifest.dependencies ?? {})) visit(next)
  }
  for (const name of names) visit(name)
  return [...found]
}

async function engineOutside(name: string, packed: readonly Packed[]): Promise<string[]> {
  const place = join(temp, name)
  const own = (source: string): boolean => !/[\\/](?:dist|node_modules)$/.test(source)
  cpSync(join(root, 'examples', name), place, { recursive: true, filter: own })
  const manifest = readJson<Manifest>(join(place, 'package.json'))
  const { dependencies = {}, devDependencies = {} } = manifest
  const tarballs = reached(packed, Object.keys({ ...dependencies, ...devDependencies }))
  const places = Object.fromEntries(tarballs.map(({ manifest: of, tarball }) => [of.name, `file:${tarball}`]))
  const others = Object.entries(devDependencies).filter(([of]) => places[of] === undefined)
  const changed = {
    ...manifest,
    dependencies: { ...dependencies, ...places },
    devDependencies: Object.fromEntries(others),
  }
  writeFileSync(join(place, 'package.json'), JSON.stringify(changed))
  await run('npm', ['install', '--prefer-offline', '--no-fund', '--no-audit', '--loglevel=error'], place)
  await run('npm', ['run', 'build'], place)
  await run('npm', ['test'], place, { COMPLIANCE_SEEDS: '1' })
  // The command has never heard of it, and runs whole clusters on it.
  await run(join(project, 'node_modules/.bin/conclave'), ['simulate', '--engine', place, '--runs', '20'], project)
  return []
}

let passed = 0
let failed = 0

/** Runs one check; what it returns or throws is what is wrong. */
async function check(name: string, body: () => string[] | Promise<string[]>): Promise<void> {
  const started = performance.now()
  const problems = await Promise.resolve()
    .then(body)
    .catch((error: unknown) => [error instanceof Error ? error.message : String(error)])
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  for (const problem of problems) console.error(problem)
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`)
  if (problems.length === 0) passed += 1
  else failed += 1
}

try {
  const packed: Packed[] = []
  await check('build and pack', async () => {
    await run(bin('tsc'), ['-b'], root)
    for (const folder of publicPackages()) packed.push(await unpack(folder))
    return packed.length === 0 ? ['no public packages found'] : []
  })
  const names = entries(packed)
  console.log(`     ${packed.length} packages, ${names.length} import paths`)
  await check('contents of the tarballs', () => contents(packed))
  await check('publint', () => lint(packed))
  await check('are the types wrong', () => typesAreRight(packed))
  await check('install into an empty project', () => install(packed))
  await check('an ESM program', () => esmProgram(names))
  await check('a require() program', () => requireProgram(names))
  await check('the conclave command', commandLine)
  await check('docs/write-an-engine.md', () => {
    followTutorial(join(project, 'my-engine'))
    return []
  })
  const nodenext = { module: 'nodenext', moduleResolution: 'nodenext' }
  const bundler = { module: 'preserve', moduleResolution: 'bundler' }
  await check('tsc, nodenext', () => types(names, nodenext))
  await check('tsc, nodenext, no DOM', () => types(names, { ...nodenext, lib: ['es2024'] }))
  await check('tsc, bundler', () => types(names, bundler))
  await check('tsc, bundler, no DOM', () => types(names, { ...bundler, lib: ['es2024'] }))
  for (const name of engineExamples()) await check(`${name}, outside`, () => engineOutside(name, packed))
} finally {
  if (process.argv.includes('--keep')) console.log(`kept: ${temp}`)
  else rmSync(temp, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
