import type { NodeId } from '@conclave/interface'
import { hex } from '../digest.ts'
import type { Invariant } from './invariant.ts'

interface Place {
  position: number
  count: number
}

export const exactlyOnce: Invariant = {
  name: 'exactly-once sessions',
  source:
    "Ongaro's dissertation, section 6.3: if a server receives a command whose serial number has already been executed, it responds immediately without re-executing the request",
  watch: (broken, { sessions }) => {
    const replies = new Map<string, { readonly reply: string; readonly node: NodeId }>()
    const places = new Map<NodeId, Place>()

    /** Everything that was due up to where the node is now was applied. */
    const complete = (node: NodeId, place: Place): void => {
      const due = sessions.dueAt(place.position)
      if (due !== undefined && place.count < due.length)
        broken(`${node} applied ${place.count} of the ${due.length} commands of position ${place.position}`, node)
    }

    return (seen) => {
      if (seen.type === 'started') places.delete(seen.node)
      else if (seen.type === 'state') {
        const place = places.get(seen.node)
        if (place !== undefined && !seen.restored) complete(seen.node, place)
        places.delete(seen.node)
      } else if (seen.type === 'applied') {
        const { node, position } = seen
        let place = places.get(node)
        if (place?.position !== position) {
          if (place !== undefined) complete(node, place)
          place = { position, count: 0 }
          places.set(node, place)
        }
        const due = sessions.dueAt(position)?.[place.count]
        place.count++
        const command = hex(seen.command)
        if (due?.command !== command)
          return broken(
            `${node} applied a command at position ${position} that ${due === undefined ? 'was applied before, or never decided there' : 'is not the next one'}`,
            node,
          )
        const key = `${due.session}/${due.serial}`
        const reply = hex(seen.reply)
        const known = replies.get(key)
        if (known === undefined) replies.set(key, { reply, node })
        else if (known.reply !== reply)
          broken(`${node} answered command ${key} otherwise than ${known.node} had`, node, known.node)
      } else if (seen.type === 'acknowledged') {
        const known = replies.get(`${seen.session}/${seen.serial}`)
        if (known !== undefined && known.reply !== hex(seen.reply))
          broken(`client ${seen.client} got another reply to its command ${seen.serial} than the machine gave`)
      }
    }
  },
}
