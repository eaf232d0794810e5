import { ConclaveError } from '@conclave/interface'

/** Why an attempt at an instance was ended by the proxy. */
export type EndReason = 'client-gone' | 'response-timeout' | 'body-timeout' | 'bad-response' | 'drained' | 'left'

const messages: Readonly<Record<EndReason, string>> = {
  'client-gone': 'the client went away',
  'response-timeout': 'the instance did not respond in time',
  'body-timeout': 'a body that was under way stood still for too long',
  'bad-response': 'the response has a status or a transfer coding that cannot be passed on here',
  drained: 'the proxy was closed, and the time to drain was over',
  left: 'the instance left, and what was under way there took too long',
}

/** The proxy ended an attempt. What the instance did with it is unknown. */
export class AttemptEnded extends ConclaveError {
  override readonly name = 'AttemptEnded'
  readonly code: EndReason
  readonly definite = false

  constructor(code: EndReason) {
    super(messages[code])
    this.code = code
  }
}

/** The instance answered with 500 or above: what a balancer is told of such a response. */
export class ServerFailure extends ConclaveError {
  override readonly name = 'ServerFailure'
  readonly code = 'server-failure'
  readonly definite = false
  readonly status: number

  constructor(status: number) {
    super(`the instance answered with ${status}`)
    this.status = status
  }
}
