import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { defineConfig } from 'vitest/config'
import { ClosingLine } from './tools/house/closing-line.ts'

// Tests run the source: the condition leads every import of a @conclave package to its src.
const conditions = ['@conclave/source', 'module', 'node', 'development|production']

const folders = ['packages', 'apps', 'tools', 'examples']
  .filter((parent) => existsSync(parent))
  .flatMap((parent) => readdirSync(parent).map((name) => `${parent}/${name}`))
  .filter((folder) => existsSync(`${folder}/test`) || existsSync(`${folder}/package.json`))

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    passWithNoTests: true,
    disableConsoleIntercept: true,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', new ClosingLine()],
    coverage: { include: ['packages/*/src/**', 'apps/*/src/**'] },
    projects: folders.map((folder) => {
      const processes = !folder.startsWith('packages/')
      return {
        extends: true as const,
        test: {
          name: basename(folder),
          root: folder,
          include: ['test/**/*.spec.ts'],
          // Tests that start real processes run in a group of their own, one file at a time: a busy machine makes them slow.
          sequence: { groupOrder: processes ? 1 : 0 },
          // Of the others as many as there are cores: left to itself, vitest keeps one core idle.
          maxWorkers: processes ? 1 : availableParallelism(),
        },
      }
    }),
  },
})
