/** Exchanges from start to end, to be read with the paper in hand: `npx vitest run --project engine-zab transcripts -u` writes them anew, the diff is what to review. */
import { decodeMembers } from '@conclave/engine-parts'
import { batchInWords, membersInShort, scenes, transcript, type Words } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { decodeMeta } from '../src/meta.ts'
import { decodeReign, decodeTransaction, type Transaction, transactionKind } from '../src/transaction.ts'
import { showZxid } from '../src/zxid.ts'
import { subject } from './nodes.ts'

const contentInWords = ({ kind, payload }: Transaction): string => {
  if (kind === transactionKind.batch) return batchInWords(payload)
  if (kind === transactionKind.reign) return `${decodeReign(payload)} reigns`
  return `members ${membersInShort(decodeMembers(payload))}`
}

const words: Words = {
  epoch: (epoch) => `epoch ${epoch}`,
  meta: (bytes) => {
    const { acceptedEpoch, acceptedFrom, currentEpoch, pledged } = decodeMeta(bytes)
    const accepted = `that it has accepted epoch ${acceptedEpoch} of ${acceptedFrom ?? 'nobody'}`
    return `${accepted} and is in epoch ${currentEpoch}${pledged ? ', and pledged' : ''}`
  },
  entry: (bytes) => {
    const transaction = decodeTransaction(bytes)
    return `${contentInWords(transaction)}, zxid ${showZxid(transaction.zxid)}`
  },
}

/** What the papers say about each. Zab: DSN 2011. But in the duel phase 0, which puts somebody forward, is left out: the stories begin with the first CEPOCH. */
const sources: Readonly<Record<keyof typeof scenes, string>> = {
  'normal-case': 'Zab, section 4, phases 1 to 3 (phase 0, which has put n1 forward, is left out)',
  'leader-change': 'Zab, section 4, phases 1 and 2 (phase 0, which has put n2 forward, is left out)',
  laggard: 'Zab, section 4, algorithm 3, which brings up to date whoever is late',
  inheritance: 'Zab, section 4, algorithm 1: the initial history (phase 0 is left out)',
  conflict: 'Zab, section 4, algorithm 2; TRUNC as in ZooKeeper (phase 0 is left out)',
  duel: 'Zab, phase 0: fast leader election as in ZooKeeper',
  'hand-over': 'in place of phase 0; asked for as in the dissertation on Raft, section 3.10',
  membership:
    'Shraer, Reed, Malkhi, Junqueira: "Dynamic Reconfiguration of Primary/Backup Clusters"; observers as in ZooKeeper',
  snapshot: 'SNAP as in ZooKeeper',
}

describe('transcripts', () => {
  for (const [name, source] of Object.entries(sources))
    it(name, async () => {
      const told = transcript(subject, words, scenes[name as keyof typeof scenes], source)
      await expect(told).toMatchFileSnapshot(`transcripts/${name}.txt`)
    })
})
