// npm run make -w @conclave/diagrams: draws the pictures of docs/engines.md anew.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawPicture } from './picture.ts'
import { pictures } from './pictures.ts'

const directory = join(import.meta.dirname, '../../../docs/engines')
mkdirSync(directory, { recursive: true })
for (const [file, picture] of await pictures()) writeFileSync(join(directory, file), drawPicture(picture))
