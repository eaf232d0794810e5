import { type Random, seededRandom } from '@conclave/interface'

/** Makes a source of random numbers for a component: the same for the same name, and independent of all others. */
export type Streams = (...name: readonly (string | number)[]) => Random

/**
 * One seed, many streams: each link, disk, engine and client draws from its own, so that what one of them does differently (because a fault was
 * taken out of the plan) does not change the luck of the others.
 */
export const streamsOf =
  (seed: number): Streams =>
  (...name) => {
    let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b)
    // The parts of a seed beyond 32 bits count too.
    state ^= Math.imul(Math.floor(seed / 0x1_0000_0000) | 0, 0x27d4eb2f)
    const text = name.join('/')
    for (let at = 0; at < text.length; at++) {
      state = Math.imul(state ^ text.charCodeAt(at), 0x01000193)
      state ^= state >>> 15
    }
    state = Math.imul(state ^ (state >>> 16), 0xc2b2ae35)
    return seededRandom(state ^ (state >>> 13))
  }

/** Uniform in [least, most). */
export const between = (random: Random, least: number, most: number): number => least + random.next() * (most - least)

/** An integer, uniform in [least, most]. */
export const integer = (random: Random, least: number, most: number): number =>
  least + Math.floor(random.next() * (most - least + 1))

export const chance = (random: Random, probability: number): boolean => random.next() < probability

/** Undefined if there is nothing to pick from. */
export const pick = <T>(random: Random, of: readonly T[]): T | undefined => of[Math.floor(random.next() * of.length)]
