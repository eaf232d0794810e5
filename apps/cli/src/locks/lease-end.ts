import type { Session } from '@conclave/client'

export interface LeaseEndInit {
  readonly session: Pick<Session, 'validUntil'>
  /** Milliseconds before the end of the lease at which `near` is called, unless it was extended by then. */
  readonly before: number
  /** The lease has been extended to then, by `performance.now()`. */
  readonly extended: (until: number) => void
  /** Once. */
  readonly near: () => void
}

/** Looks at a lease when its end is near. @returns what stops that. */
export const watchLeaseEnd = ({ session, before, extended, near }: LeaseEndInit): (() => void) => {
  let timer: NodeJS.Timeout | undefined
  const arm = (): void => {
    const until = session.validUntil
    timer = setTimeout(
      () => {
        if (session.validUntil <= until) return near()
        extended(session.validUntil)
        arm()
      },
      Math.max(0, until - before - performance.now()),
    )
  }
  arm()
  return () => clearTimeout(timer)
}
