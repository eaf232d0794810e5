import { type Model, type UnknownOutput, unknownOutput } from '../model.ts'

export type LockInput =
  | { readonly type: 'acquire' }
  /** Gives back what was acquired with this token. */
  | { readonly type: 'release'; readonly token: bigint }
  /** Asks whether the lock is held with this token: what a fenced resource does before it serves. */
  | { readonly type: 'check'; readonly token: bigint }

/**
 * Of an acquire the token, or null if somebody else holds the lock; of a release whether it released, of a check whether the
 * token is that of the holder.
 */
export type LockOutput = bigint | boolean | null

export interface LockState {
  readonly held: boolean
  /** That of the holder; undefined: nobody holds it, or an acquire of unknown outcome does, with a token above `highest`. */
  readonly token: bigint | undefined
  /** The highest token that is known to have been given. */
  readonly highest: bigint
}

export interface LockInit {
  /**
   * A holder may lose the lock by itself, when its lease or its session ends, at a time that the history does not tell. Default false: only by a
   * release.
   */
  readonly expires?: boolean
}

const grant = (state: LockState, token: bigint | undefined): LockState | undefined => {
  // A holder with an unknown token has taken one above the highest: the next is above that.
  const least = state.held && state.token === undefined ? state.highest + 1n : state.highest
  if (token !== undefined && token <= least) return undefined
  return { held: true, token, highest: token ?? state.highest }
}

/** The state if the lock is held with this token; undefined: it cannot be. */
const holding = (state: LockState, token: bigint): LockState | undefined => {
  if (!state.held) return undefined
  if (state.token !== undefined) return state.token === token ? state : undefined
  return token > state.highest ? { held: true, token, highest: token } : undefined
}

const free = (state: LockState): LockState => ({ held: false, token: undefined, highest: state.highest })

const acquire = (state: LockState, output: LockOutput | UnknownOutput, expires: boolean): LockState | undefined => {
  if (output === null) return state.held ? state : undefined
  if (output !== unknownOutput && typeof output !== 'bigint') return undefined
  const known = output === unknownOutput ? undefined : output
  if (state.held && !expires) return known === undefined ? state : undefined
  return grant(state, known)
}

const release = (
  state: LockState,
  token: bigint,
  output: LockOutput | UnknownOutput,
  expires: boolean,
): LockState | undefined => {
  const held = holding(state, token)
  if (output === unknownOutput) return held === undefined ? state : free(held)
  if (output === true) return held && free(held)
  // Held with a token that nobody knows: it may be another one.
  if (output !== false || (state.token === token && !expires)) return undefined
  return state.token === token ? free(state) : state
}

const checkToken = (
  state: LockState,
  token: bigint,
  output: LockOutput | UnknownOutput,
  expires: boolean,
): LockState | undefined => {
  if (output === unknownOutput) return state
  if (output === true) return holding(state, token)
  if (output !== false || (state.token === token && !expires)) return undefined
  return state.token === token ? free(state) : state
}

/** Tokens rise: one that has been given and is not held is never held again. */
const tooLate = ({ token, highest }: LockState, input: LockInput, output: LockOutput): boolean => {
  if (input.type === 'acquire') return typeof output === 'bigint' && output <= highest
  return output === true && input.token <= highest && input.token !== token
}

/**
 * A lock with fencing tokens (Burrows 2006, section 2.4, calls them sequencers): one holder at a time, and every grant has a token above all before
 * it, so that whoever the holder talks to can refuse one that has been overtaken.
 */
export const lockModel = ({ expires = false }: LockInit = {}): Model<LockState, LockInput, LockOutput> => ({
  name: 'lock',
  initial: () => ({ held: false, token: undefined, highest: 0n }),
  step(state, input, output) {
    switch (input.type) {
      case 'acquire':
        return acquire(state, output, expires)
      case 'release':
        return release(state, input.token, output, expires)
      case 'check':
        return checkToken(state, input.token, output, expires)
    }
  },
  tooLate,
  // Without expiry: with it, a check that fails ends the hold.
  readOnly: ({ type }) => type === 'check' && !expires,
  key: ({ held, token, highest }) => `${held ? (token ?? '?') : '-'} ${highest}`,
  describeOperation(input, output) {
    const returned = output === unknownOutput ? '?' : output === null ? 'refused' : String(output)
    return `${input.type}${input.type === 'acquire' ? '' : ` ${input.token}`} → ${returned}`
  },
  describeState: ({ held, token, highest }) =>
    held ? `held with ${token ?? `a token above ${highest}`}` : `free, highest token ${highest}`,
})
