import { concatChunks, type Effects, type Input, type NodeId } from '@conclave/interface'
import { Cluster } from '../cluster.ts'
import type { Flying, Make, Node, Witness } from '../node.ts'
import type { Subject } from '../subject.ts'
import { type Describe, effectsInWords, inputInWords, sendsInWords, type Words } from './in-words.ts'

/** A story that several engines can tell, each in its own words. */
export interface Scene {
  readonly title: string
  readonly make?: Make
  play(stage: Stage): void
}

export interface Stage {
  /** n1, n2 and n3. */
  readonly cluster: Cluster<unknown>
  /** What the reader has to know before what follows. */
  say(text: string): void
  /** What leads up to the story is not told. */
  untold(play: () => void): void
}

/** Inputs that are not worth a line if nothing follows from them. */
const silent: readonly Input['type'][] = ['tick', 'persisted', 'peer', 'snapshotSent']
/** Messages that only say "I am here", or answer one that does; the engine's own words for them. */
const routine = /^(?:heartbeat|ping|pong)\b/i

class Transcript implements Witness {
  readonly lines: string[] = []
  quiet = false
  readonly #words: Words
  readonly #describe: Describe
  readonly #believed = new Map<NodeId, string>()

  constructor(words: Words, describe: Describe) {
    this.#words = words
    this.#describe = describe
  }

  say(text: string): void {
    this.lines.push('', `# ${text}`)
  }

  turned(node: Node, inputs: readonly Input[], effects: Effects): void {
    const news = [...this.#news(node), ...effectsInWords(effects, this.#words)]
    const idle = inputs.every((input) => this.#isIdle(input)) && news.length === 0 && this.#sendsOnlyRoutine(effects)
    if (this.quiet || idle) return
    const waits = effects.write !== undefined || node.unsynced > 0
    const lines = [...news, ...sendsInWords(effects.send, this.#describe, waits)]
    const what = inputs.map((input) => inputInWords(input, this.#describe)).join('; ')
    this.lines.push(`${node.id}  ${what === '' ? 'starts' : what}`, ...lines.map((line) => `      ${line}`))
  }

  #isRoutine(message: Uint8Array): boolean {
    return routine.test(this.#describe(message))
  }

  #isIdle(input: Input): boolean {
    return silent.includes(input.type) || (input.type === 'receive' && this.#isRoutine(input.message))
  }

  #sendsOnlyRoutine({ send }: Effects): boolean {
    return send.every(({ message }) => this.#isRoutine(concatChunks(message)))
  }

  /** What it believes, if that has changed. */
  #news({ id, status: { role, epoch, leader } }: Node): string[] {
    const followed = leader === undefined || leader === id ? '' : `, led by ${leader}`
    const now = `${role}, ${this.#words.epoch(epoch)}${followed}`
    const before = this.#believed.get(id)
    this.#believed.set(id, now)
    return before === now ? [] : [`is now ${now}`]
  }

  lost({ from, to, bytes }: Flying<unknown>): void {
    if (!this.quiet && !this.#isRoutine(bytes))
      this.lines.push(`    (lost, ${from} to ${to}: ${this.#describe(bytes)})`)
  }
}

/** The scene as this engine plays it. @param source what its paper says about it. */
export const transcript = (subject: Subject, words: Words, scene: Scene, source: string): string => {
  const told = new Transcript(words, (message) => subject.factory.describe?.(message) ?? 'what does not parse')
  told.quiet = true
  const cluster = new Cluster(subject, 3, { ...scene.make, witness: told })
  told.quiet = false
  scene.play({
    cluster,
    say: (text) => told.say(text),
    untold: (play) => {
      const before = told.quiet
      told.quiet = true
      play()
      told.quiet = before
    },
  })
  return `${scene.title}\n${source}\n${told.lines.join('\n')}\n`
}
