/** Exchanges from start to end, to be read with the paper in hand: `npx vitest run --project engine-raft transcripts -u` writes them anew, the diff is what to review. */

import { decodeMembers } from '@conclave/engine-parts'
import { batchInWords, membersInShort, scenes, transcript, type Words } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { decodeEntry, decodeReign, entryKind } from '../src/entry.ts'
import { decodeMeta } from '../src/meta.ts'
import { subject } from './servers.ts'

const words: Words = {
  epoch: (term) => `term ${term}`,
  meta: (bytes) => {
    const { term, vote, promised } = decodeMeta(bytes)
    return `term ${term}, ${vote === undefined ? 'no vote' : `vote for ${vote}`}${promised ? ', promises' : ''}`
  },
  entry: (bytes) => {
    const { term, kind, payload } = decodeEntry(bytes)
    if (kind === entryKind.batch) return `${batchInWords(payload)}, term ${term}`
    const what =
      kind === entryKind.reign ? `${decodeReign(payload)} reigns` : `members ${membersInShort(decodeMembers(payload))}`
    return `${what}, term ${term}`
  },
}

/** What the papers say about each: "In Search of an Understandable Consensus Algorithm", extended version, and the dissertation. */
const sources: Readonly<Record<keyof typeof scenes, string>> = {
  'normal-case': 'Raft, sections 5.2 and 5.3',
  'leader-change': 'Raft, sections 5.1 and 5.2; pre-vote: dissertation, section 9.6',
  laggard: 'Raft, section 5.3',
  inheritance: 'Raft, sections 5.4.1 and 5.4.2',
  conflict: 'Raft, section 5.3, figure 7',
  duel: 'Raft, section 5.2',
  'hand-over': 'dissertation, section 3.10',
  membership: 'Raft, section 6; learners: dissertation, section 4.2.1',
  snapshot: 'Raft, section 7',
}

describe('transcripts', () => {
  for (const [name, source] of Object.entries(sources))
    it(name, async () => {
      const told = transcript(subject, words, scenes[name as keyof typeof scenes], source)
      await expect(told).toMatchFileSnapshot(`transcripts/${name}.txt`)
    })
})
