import type { AddressInfo } from 'node:net'
import type { Parts } from './parts.ts'

/** The side of a proxy that clients see. */
export interface Front {
  readonly parts: Parts
  listen(): Promise<AddressInfo>
  /** Takes nothing new; resolves when nothing is under way any more. */
  drain(): Promise<void>
  /** Ends everything at once; resolves when nothing is open any more. */
  cut(): Promise<void>
}
