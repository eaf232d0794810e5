import type { NodeId } from '@conclave/interface'
import { compareBallots, sameBallot } from './ballot.ts'
import { advance, learnWatermark } from './delivery.ts'
import { help } from './help.ts'
import type { Message, MessageOf } from './messages.ts'
import { probeAnswered } from './progress.ts'
import { noteWatermark } from './replication.ts'
import { becomeAcceptor } from './roles/follow.ts'
import type { PaxosState } from './state.ts'
import { enterNext } from './succession.ts'
import type { Value } from './value.ts'

/*
 * What is decided stays decided: it may be learned from anybody, in any ballot and configuration. So nodes whose configurations differ, or who have
 * no leader, bring each other up to date without phase 1 or 2.
 */

/** Takes decided values, in order and without a gap; the answer says how far that went. */
export const learn = (paxos: PaxosState, from: NodeId, message: MessageOf<'learn'>): void => {
  if (compareBallots(message.ballot, paxos.promised) > 0) {
    // What was chosen in a ballot must not be recorded under a lower one.
    becomeAcceptor(paxos)
    paxos.promise(message.ballot)
  }
  const before = paxos.decided
  for (const { slot, value } of message.slots) {
    if (slot <= paxos.decided) continue
    if (slot > paxos.decided + 1 || !learnSlot(paxos, slot, value)) break
    enterNext(paxos)
  }
  if (paxos.role.type !== 'leader') learnWatermark(paxos, message.decided)
  enterNext(paxos)
  // Not if it helped nothing: the sender would send the same again.
  if (paxos.decided > before || paxos.decided >= (message.slots.at(-1)?.slot ?? 0))
    paxos.sendDurable(from, { type: 'watermark' })
}

/** @returns false if it cannot be taken: this node leads, and has proposed nothing there. */
const learnSlot = (paxos: PaxosState, slot: number, value: Value): boolean => {
  const { role } = paxos
  if (role.type === 'leader') {
    const tally = role.tally.get(slot)
    if (tally === undefined) return false
    tally.chosen = true // what it proposes there is the same: phase 1 has found it
  } else {
    const held = paxos.log.get(slot)
    if (held === undefined || !sameBallot(held.ballot, paxos.promised)) paxos.accept(slot, value)
  }
  advance(paxos, (candidate) => candidate === slot)
  return true
}

/** Somebody says how far it has come. */
export const receiveWatermark = (paxos: PaxosState, from: NodeId, message: MessageOf<'watermark'>): void => {
  const { decided } = message
  const { role, farewell } = paxos
  if (farewell?.listeners.some(({ id }) => id === from)) farewell.told.set(from, decided)
  const progress = role.type === 'leader' ? role.progress.get(from) : undefined
  if (progress !== undefined) {
    progress.silentTicks = 0
    noteWatermark(paxos, progress, Math.min(decided, paxos.decided))
    // Where this configuration is not known yet, a probe is answered like this.
    if (progress.probe > 0 && message.configuration < paxos.configuration.number)
      probeAnswered(progress, progress.probe)
  } else help(paxos, from, decided)
}

/** A message of another configuration: one of the two has to catch up first. */
export const otherConfiguration = (paxos: PaxosState, from: NodeId, message: Message): void => {
  switch (message.type) {
    case 'canvass':
    case 'prepare':
    case 'accept':
    case 'heartbeat':
      if (message.configuration > paxos.configuration.number) paxos.sendDurable(from, { type: 'watermark' })
      else help(paxos, from, message.decided)
      return
    case 'canvassReply':
    case 'promise':
    case 'nack':
    case 'accepted':
    case 'heartbeatReply':
    case 'learn':
    case 'watermark':
    case 'handOver':
      return // answers to what this node, or its peer, no longer is
  }
}
