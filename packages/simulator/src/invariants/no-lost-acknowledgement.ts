import type { Invariant } from './invariant.ts'

export const noLostAcknowledgement: Invariant = {
  name: 'no lost acknowledgement',
  source:
    'Raft, extended version, section 5.3: a committed entry is durable and will eventually be executed by all available machines; section 8: a read returns no stale data',
  watch: (broken, { sessions }) => {
    let acknowledged = 0
    const local = new Map<string, bigint>()
    return (seen) => {
      if (seen.type === 'acknowledged') {
        const place = sessions.placeOf(seen.session, seen.serial)
        if (place === undefined)
          broken(`client ${seen.client} was told that its command ${seen.serial} is done, and nobody decided it`)
        else acknowledged = Math.max(acknowledged, place)
      } else if (seen.type === 'read') {
        if (seen.level === 'local') {
          const life = `${seen.client}/${seen.node}/${seen.life}`
          const before = local.get(life) ?? -1n
          if (seen.revision < before)
            broken(`${seen.node} answered revision ${seen.revision} after ${before} within one life`, seen.node)
          local.set(life, seen.revision)
        } else if (seen.revision < seen.least)
          broken(
            `a ${seen.level} read at ${seen.node} returned revision ${seen.revision}, though ${seen.least} was acknowledged before it began`,
            seen.node,
          )
      } else if (seen.type === 'finished') {
        for (const { node, position } of seen.nodes)
          if (position < acknowledged)
            broken(`${node} ends at position ${position}, though ${acknowledged} was acknowledged`, node)
      }
    }
  },
}
