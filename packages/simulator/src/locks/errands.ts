import type { Lock, Session } from '@conclave/client/locks'
import type { Random } from '@conclave/interface'
import type { ProcessClock } from '../process-clock.ts'
import { between, chance, integer, pick } from '../streams.ts'
import type { Surroundings } from '../surroundings.ts'
import { denied, seenAs } from './files.ts'
import { directory, filePaths, friends, listPath, lockPaths } from './names.ts'
import type { Belief, LockScene } from './scene.ts'

/** What may come of a removal, or of a handle on what others remove. */
const overtaken: readonly unknown[] = ['no-node', 'no-handle', 'not-empty', 'lock-in-use']

/** By code: a broken variant of the client has error classes of its own. */
export const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined

export interface ErrandsInit {
  readonly around: Surroundings
  readonly scene: LockScene
  readonly random: Random
  readonly clock: ProcessClock
  readonly session: Session
  readonly client: number
  readonly principal: string
  readonly sleep: (millis: number) => Promise<void>
  /** Notes for people what is waited for. */
  readonly during: <T>(what: string, work: Promise<T>) => Promise<T>
  /** Contents that nobody has written before. */
  readonly unheardOf: () => string
}

/** What a program does with one session, and what the scene has to know of it. */
export class Errands {
  readonly beliefs = new Set<Belief>()
  readonly #init: ErrandsInit

  constructor(init: ErrandsInit) {
    this.#init = init
  }

  /** Does one of them, whichever the random source says. */
  async one(): Promise<void> {
    const { random, during } = this.#init
    const dice = random.next()
    if (dice < 0.48) await during('a lock', this.#useLock())
    else if (dice < 0.64) await during('a read', this.read())
    else if (dice < 0.8) await during('a write', this.#writeFile())
    else if (dice < 0.86) await during('an ephemeral file', this.#ephemeral())
    else if (dice < 0.93) await during('a removal', this.#remove())
    else if (dice < 0.97) await during('a change of who may read', this.#setAcl())
    else await during('a change of a list', this.#writeList())
  }

  async #useLock(): Promise<void> {
    const { random, session, clock, client, scene } = this.#init
    const path = pick(random, lockPaths) ?? lockPaths[0]
    const mode = chance(random, 0.75) ? 'exclusive' : 'shared'
    const lockDelay = chance(random, 0.3) ? integer(random, 50, 300) : 0
    const dice = random.next()
    const wait = dice < 0.2 ? { wait: 0 } : dice < 0.5 ? { wait: integer(random, 5, 200) } : {}
    const ephemeral = chance(random, 0.15)
    const lock = await session.lock(path, { mode, lockDelay, ephemeral, ...wait }).catch((error: unknown) => {
      if (codeOf(error) === 'lock-held' || codeOf(error) === 'unavailable') return undefined
      throw error
    })
    if (lock === undefined || clock.dead) return
    const belief: Belief = { client, session, lock, clock, token: lock.held ? lock.token : 0n }
    this.beliefs.add(belief)
    scene.believes(belief)
    await this.#critical(lock)
    if (clock.dead) return
    this.beliefs.delete(belief)
    scene.forgets(belief)
    await lock.release()
  }

  /** Writes to what the lock guards, again and again, by messages that take their time. */
  async #critical(lock: Lock): Promise<void> {
    const { random, around, scene, clock, client, sleep } = this.#init
    for (let writes = integer(random, 1, 4); writes > 0; writes--) {
      await sleep(between(random, 1, 50))
      if (clock.dead || !lock.held) return
      const { token } = lock
      const delay = chance(random, 0.1) ? between(random, 50, 900) : between(random, 0.1, 5)
      around.clock.after(delay, () => scene.guardedWrite(lock.path, token, lock, clock, client))
    }
  }

  async read(): Promise<void> {
    const { random, scene, session, principal } = this.#init
    const path = pick(random, filePaths) ?? filePaths[0]
    const floor = scene.files.floor(path)
    const level = chance(random, 0.8) ? 'cached' : 'linearizable'
    const seen = await session.read(path, { level }).then(
      (file) => seenAs(file?.text),
      (error: unknown) => {
        if (codeOf(error) === 'denied') return denied
        throw error
      },
    )
    if (seen === denied) scene.hit('read denied')
    scene.files.read(path, floor, seen, principal, level)
    if (level === 'cached') scene.caches(session, path)
  }

  /** Does something to a path; whatever others did to it first may keep it from that. */
  async #change(path: string, change: () => Promise<void>, acknowledged: (from: number) => void): Promise<void> {
    const { scene } = this.#init
    const done = scene.changing(path)
    const from = scene.files.latest(path)
    try {
      await change()
    } catch (error) {
      if (overtaken.includes(codeOf(error))) return
      throw error
    }
    acknowledged(from)
    done()
  }

  async #writeFile(): Promise<void> {
    const { random, session, scene, unheardOf } = this.#init
    const path = pick(random, filePaths) ?? filePaths[0]
    const text = unheardOf()
    const write = (): Promise<void> => session.write(path, text).then(() => {})
    await this.#change(path, write, (from) => scene.files.acknowledged(path, from, ({ contents }) => contents === text))
  }

  async #setAcl(): Promise<void> {
    const { random, session, scene } = this.#init
    const path = pick(random, [...filePaths, directory]) ?? directory
    const read = chance(random, 0.5) ? friends : ''
    const set = (): Promise<void> => session.setAcl(path, { read, write: '', changeAcl: '' })
    await this.#change(path, set, (from) =>
      scene.files.acknowledged(path, from, ({ contents, acl }) => contents !== undefined && acl === read),
    )
  }

  /** Each client is named by it or not. */
  async #writeList(): Promise<void> {
    const { random, session, scene, around, unheardOf } = this.#init
    const named = Array.from({ length: around.plan.clients }, (_, at) => `client ${at + 1}`)
    const list = [...named.filter(() => chance(random, 0.5)), unheardOf()].join('\n')
    const write = (): Promise<void> => session.write(listPath, list).then(() => {})
    await this.#change(listPath, write, (from) =>
      scene.files.acknowledged(listPath, from, ({ contents }) => contents === list),
    )
  }

  async #ephemeral(): Promise<void> {
    const { random, session, sleep, client } = this.#init
    const path = `/ls/cell/e${client}-${integer(random, 1, 2)}`
    const handle = await session.open(path, { create: 'missing', ephemeral: true, parents: true })
    await sleep(between(random, 1, 100))
    await session.read(path)
    await handle.close()
  }

  /** It is made anew by whoever needs it next. */
  async #remove(): Promise<void> {
    const { random, session, scene } = this.#init
    const path = pick(random, [...lockPaths, ...filePaths, directory, directory, listPath]) ?? directory
    await this.#change(
      path,
      () => session.remove(path),
      (from) => {
        scene.files.acknowledged(path, from, ({ contents }) => contents === undefined)
        if (path === directory) scene.hit('directory removed')
      },
    )
  }
}
