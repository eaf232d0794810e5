/** The exit codes of every command. */
export const exitCodes = {
  done: 0,
  error: 1,
  usage: 2,
  /** Not found, or refused: definitely no effect. */
  refused: 3,
  /** The outcome is unknown, or no leader can be reached. */
  unavailable: 4,
} as const

/** A failure that says what to do next. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  /** One of `exitCodes`, or what a command is told to end with. */
  readonly exit: number
  /** Machine-readable, in kebab case. */
  readonly code: string
  /** What to try next; a line or several. */
  readonly hint: string | undefined

  constructor(exit: number, code: string, message: string, hint?: string) {
    super(message)
    this.exit = exit
    this.code = code
    this.hint = hint
  }
}

const field = (error: unknown, name: string): unknown =>
  typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined

const usageCodes = new Set([
  'invalid-config',
  'invalid-endpoint',
  'invalid-plan',
  'invalid-insight',
  'invalid-workload',
  'engine-not-found',
  'no-engine',
  'engine-contract',
  'engine-name-taken',
])
const refusedCodes = new Set([
  'refused',
  'compacted',
  // What the lock service says.
  'no-node',
  'exists',
  'not-a-directory',
  'is-a-directory',
  'not-empty',
  'no-handle',
  'denied',
  'mismatch',
  'stale-sequencer',
  'lock-in-use',
  'too-many',
])
const unavailableCodes = new Set(['unavailable', 'aborted', 'overloaded', 'client-closed'])

/** The exit code for an error of any layer; `definite: false` is an unknown outcome. */
export const exitCodeOf = (error: unknown): number => {
  if (error instanceof CommandFailed) return error.exit
  const code = field(error, 'code')
  if (typeof code === 'string' && usageCodes.has(code)) return exitCodes.usage
  if (typeof code === 'string' && refusedCodes.has(code)) return exitCodes.refused
  if (typeof code === 'string' && unavailableCodes.has(code)) return exitCodes.unavailable
  // Out of bounds: a key or a value that no cluster takes.
  if (error instanceof RangeError) return exitCodes.usage
  return field(error, 'definite') === false ? exitCodes.unavailable : exitCodes.error
}

/** What an error looks like under `--json`. */
export const errorJson = (error: unknown): { readonly error: Record<string, unknown> } => {
  const message = error instanceof Error ? error.message : String(error)
  const code = field(error, 'code')
  const hint = field(error, 'hint')
  const definite = field(error, 'definite')
  return {
    error: {
      code: typeof code === 'string' ? code : 'error',
      message,
      ...(typeof definite === 'boolean' ? { definite } : {}),
      ...(typeof hint === 'string' ? { hint } : {}),
      exit: exitCodeOf(error),
    },
  }
}
