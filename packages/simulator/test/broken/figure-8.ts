// `node --conditions=@conclave/source test/broken/figure-8.ts`: draws and tells what docs/testing.md shows, from the plan beside this file.
import { readFileSync, writeFileSync } from 'node:fs'
import { diagram, parsePlan, type RunResult, run, timeline } from '@conclave/simulator'
import { raftParts } from '../parts.ts'
import { brokenParts } from './fixture.ts'
import { brokenRafts } from './raft.ts'

const docs = new URL('../../../../docs/', import.meta.url)
/** Holds the timeline as a block of text. */
export const page = new URL('testing.md', docs)
export const picture = new URL('figure-8.svg', docs)

/** The shrunk run in which an entry of an old term, committed by counting, is lost. */
export const figure8 = async (): Promise<RunResult> => {
  const fixture = brokenRafts.find(({ name }) => name === 'an entry of an old term committed by counting')
  if (fixture === undefined) throw new Error('the fixture is gone')
  const plan = parsePlan(readFileSync(new URL('./figure-8.json', import.meta.url), 'utf8'))
  return run(plan, await brokenParts(raftParts, { from: 'engine-raft', name: 'raft' }, fixture), { trace: true })
}

export const told = ({ trace }: RunResult): string => `${timeline(trace, { width: 120, last: 60 }).trimEnd()}\n`
export const drawn = ({ trace }: RunResult): string =>
  diagram(trace, { title: 'Figure 8: an entry of an old term is committed by counting, and lost' })

if (process.argv[1] === import.meta.filename) {
  const result = await figure8()
  console.log(result.violation)
  writeFileSync(picture, drawn(result))
  const text = readFileSync(page, 'utf8')
  writeFileSync(
    page,
    text.replace(/```text\n[\s\S]*?\n```/, () => `\`\`\`text\n${told(result)}\`\`\``),
  )
}
