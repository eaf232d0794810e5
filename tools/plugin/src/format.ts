import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { logger } from '@nx/devkit'

/** Formats what was made as `npm run format` does: how lines break and imports are sorted depends on how long names are. */
export const format = (root: string, directory: string): void => {
  try {
    execFileSync(join(root, 'node_modules/.bin/biome'), ['check', '--write', directory], { cwd: root, stdio: 'pipe' })
  } catch (error) {
    logger.warn(`${directory} could not be formatted (npm run format does it): ${String(error)}`)
  }
}
