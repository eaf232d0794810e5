import { ConclaveError } from '@conclave/interface'

/** No node led a majority in time. The message says what each node thinks. */
export class NoLeader extends ConclaveError {
  override readonly name = 'NoLeader'
  readonly code = 'no-leader'
  readonly definite = true
}

/** The node was killed, or the cluster is closed. */
export class NodeNotRunning extends ConclaveError {
  override readonly name = 'NodeNotRunning'
  readonly code = 'node-not-running'
  readonly definite = true
}

/** A command to a machine got no answer in time: it may have been applied, or may yet be. */
export class CallTimedOut extends ConclaveError {
  override readonly name = 'CallTimedOut'
  readonly code = 'call-timed-out'
  readonly definite = false
}
