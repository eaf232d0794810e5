import type { FileProblem } from '@conclave/client'

/** The error as what the lock service says of a file; undefined if it is something else. By its name: to know its class, a command that only shows its help would load the client. */
export const fileProblemOf = (error: unknown): FileProblem | undefined =>
  error instanceof Error && error.name === 'FileProblem' ? (error as FileProblem) : undefined
