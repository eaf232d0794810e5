import type { Tree } from '@nx/devkit'
import type { Kind } from './kinds.ts'
import type { Place } from './place.ts'
import { type Manifest, readWorkspaceJson } from './workspace.ts'

/** Every package of the workspace has the manifest of this one, but for its name and dependencies. */
const model = 'packages/interface/package.json'

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** The manifest of a package of the workspace: versions, exports and files are those of its neighbours. */
const memberManifest = (tree: Tree, kind: Kind, { folder, packageName }: Place, description: string) => {
  const { version, license, engines, exports, files } = readWorkspaceJson<Manifest>(tree, model)
  return {
    name: packageName,
    version,
    description,
    license,
    type: 'module',
    sideEffects: false,
    engines,
    exports,
    files,
    scripts: { build: 'tsc -b', test: `vitest run --root ../.. --project ${folder}` },
    dependencies: Object.fromEntries(kind.imports.map((name) => [`@conclave/${name}`, version])),
  }
}

/** The manifest of a package that stands alone: with its tools, and without the condition that leads to the source. */
const aloneManifest = (tree: Tree, kind: Kind, { packageName }: Place, description: string) => {
  const { version, license, engines, files } = readWorkspaceJson<Manifest>(tree, model)
  const { devDependencies = {} } = readWorkspaceJson<Manifest>(tree, 'package.json')
  const tools = ['@types/node', 'typescript', 'vite', 'vitest']
  return {
    name: packageName,
    version: '0.1.0',
    description,
    license,
    type: 'module',
    sideEffects: false,
    engines,
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' }, './package.json': './package.json' },
    files,
    scripts: { build: 'tsc -p tsconfig.json', test: 'vitest run --testTimeout 60000', prepack: 'npm run build' },
    dependencies: Object.fromEntries(kind.imports.map((name) => [`@conclave/${name}`, version])),
    devDependencies: {
      '@conclave/compliance': version,
      ...Object.fromEntries(tools.map((name) => [name, devDependencies[name] ?? '*'])),
    },
  }
}

export const manifestOf = (tree: Tree, kind: Kind, place: Place, description: string): string =>
  json((place.alone ? aloneManifest : memberManifest)(tree, kind, place, description))

/** As in every package of the workspace, which shares its options. */
const memberTsconfig = ({ pure, imports }: Kind): string => `{
  "extends": "../../tsconfig.${pure ? 'pure' : 'base'}.json",
  "compilerOptions": {
    "rootDir": "src",
    "outDir": "dist",
    "tsBuildInfoFile": "dist/tsconfig.tsbuildinfo"
  },
  "include": ["src/**/*.ts"],
  "references": [
${imports.map((name) => `    {\n      "path": "../${name}"\n    }`).join(',\n')}
  ]
}
`

/** The same options, written out. */
const aloneTsconfig = (tree: Tree, { pure }: Kind): string => {
  type Options = { readonly compilerOptions: Readonly<Record<string, unknown>> }
  const {
    customConditions: _,
    composite: __,
    ...base
  } = readWorkspaceJson<Options>(tree, 'tsconfig.base.json').compilerOptions
  const more = pure ? readWorkspaceJson<Options>(tree, 'tsconfig.pure.json').compilerOptions : {}
  const compilerOptions = { ...base, ...more, declaration: true, rootDir: 'src', outDir: 'dist' }
  return json({ compilerOptions, include: ['src/**/*.ts'] })
}

export const tsconfigOf = (tree: Tree, kind: Kind, { alone }: Place): string =>
  alone ? aloneTsconfig(tree, kind) : memberTsconfig(kind)
