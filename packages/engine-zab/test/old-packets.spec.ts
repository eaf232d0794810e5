/** A network that delivers what was sent long ago, over a link that was made or broke since. */
import type { EngineFactory } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { zab } from '../src/index.ts'
import { decodeMessage, type Message } from '../src/messages.ts'

const subject: torture.Subject<Message> = {
  factory: zab,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'notification',
  configured: torture.changesAreJoint,
}

describe('a storm to which messages of long ago return', { timeout: 120_000 }, () => {
  it.each([3, 5])('is survived by %i nodes', (nodes) => {
    const { decided } = torture.survived(subject, 30, { nodes, oldPackets: true, leases: true })
    expect(decided).toBeGreaterThan(60)
  })

  it('notices that a late TRUNC is obeyed', async () => {
    const check = '  if (!sameZxid(last, zab.history.lastZxid)) return reportAgain(zab, role)'
    const edit = { file: 'engine-zab/synchronization.ts', find: check, replace: '' }
    const broken = (await torture.loadBroken('late TRUNC', [edit])).get('engine-zab') as { zab: EngineFactory }
    const found = torture.noticed({ ...subject, factory: broken.zab }, 200, { nodes: 3, oldPackets: true })
    expect(String(found)).toMatch('asks to forget what is committed')
  })
})
