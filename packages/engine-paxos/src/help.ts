import type { NodeId } from '@conclave/interface'
import { type Filled, slotOverhead, slotsHeadBytes } from './messages.ts'
import { helpBySnapshot } from './snapshot.ts'
import type { PaxosState } from './state.ts'

/** One message of what the node lacks, from memory; a member that lags behind that gets a snapshot now and then. */
export const help = (paxos: PaxosState, to: NodeId, decided: number): void => {
  if (decided >= paxos.decided) return
  if (decided < paxos.log.base) return helpBySnapshot(paxos, to)
  const slots: Filled[] = []
  let bytes = slotsHeadBytes
  for (let slot = decided + 1; slot <= paxos.decided; slot++) {
    const { value } = paxos.log.at(slot)
    if (slots.length > 0 && bytes + slotOverhead + value.size > paxos.limits.messageBytes) break
    bytes += slotOverhead + value.size
    slots.push({ slot, value })
  }
  paxos.sendEarly(to, { type: 'learn', slots })
}
