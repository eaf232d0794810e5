/** Exchanges from start to end, to be read with the paper in hand: `npx vitest run --project engine-paxos transcripts -u` writes them anew, the diff is what to review. */
import {
  batchInWords,
  membersInShort,
  propose,
  type Scene,
  scenes,
  settled,
  timeOut,
  transcript,
  type Words,
} from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { showBallot } from '../src/ballot.ts'
import { decodeConfiguration } from '../src/configuration.ts'
import { decodeMeta } from '../src/meta.ts'
import { decodeAccepted, decodeReign, type Value, valueKind } from '../src/value.ts'
import { ballotOf, subject } from './nodes.ts'

const valueInWords = ({ kind, payload }: Value): string => {
  if (kind === valueKind.batch) return batchInWords(payload)
  if (kind === valueKind.noop) return 'a no-op'
  if (kind === valueKind.reign) return `${decodeReign(payload)} reigns`
  return `stop, then members ${membersInShort(decodeConfiguration(payload).membership)}`
}

const words: Words = {
  epoch: (epoch) => `ballot ${showBallot(ballotOf(Number(epoch >> 24n), Number(epoch & 0xff_ffffn)))}`,
  meta: (bytes) => {
    const { promised, decided, pledged } = decodeMeta(bytes)
    return `that it has promised ${showBallot(promised)} and decided ${decided}${pledged ? ', and pledged' : ''}`
  },
  entry: (bytes) => {
    const { ballot, value } = decodeAccepted(bytes)
    return `${valueInWords(value)}, accepted in ballot ${showBallot(ballot)}`
  },
}

/** Paxos alone has slots that nothing is known of, below others that are accepted. */
const hole: Scene = {
  title: 'A hole is filled',
  play: (stage) => {
    const { cluster, say } = stage
    settled(stage)
    say('n1 takes two batches, one after the other. The first reaches nobody, the second n2.')
    cluster.isolate(1)
    cluster.at(1).turn(propose(2, 'b'))
    cluster.settle()
    cluster.cut = ({ from, to }) => to === 'n3' || from === 'n2'
    cluster.at(1).turn(propose(3, 'c'))
    cluster.settle()
    say('n1 hangs. The time-out of n3 ends first: slot 4 is proposed again, and nothing is known of slot 3.')
    cluster.isolate(1)
    timeOut(stage, 3, 1)
  },
}

const told = { ...scenes, hole }

/** What the papers say about each. PMS: "Paxos Made Simple"; PML: "Paxos Made Live". */
const sources: Readonly<Record<keyof typeof told, string>> = {
  'normal-case': 'PMS, sections 2.2 and 3',
  'leader-change': 'PMS, section 3',
  laggard: 'PMS, section 2.3',
  inheritance: 'PMS, section 2.2, P2c',
  conflict: 'PMS, section 2.2',
  duel: 'PMS, section 2.4',
  hole: 'PMS, section 3',
  'hand-over': 'PMS, section 2.4; asked for as in the dissertation on Raft, section 3.10',
  membership: 'Lamport, Malkhi, Zhou, "Reconfiguring a State Machine", section 4.2',
  snapshot: 'PML, section 5.5',
}

describe('transcripts', () => {
  for (const [name, source] of Object.entries(sources))
    it(name, async () => {
      const text = transcript(subject, words, told[name as keyof typeof told], source)
      await expect(text).toMatchFileSnapshot(`transcripts/${name}.txt`)
    })
})
