import type { Of, Toolkit } from './toolkit.ts'

export const crash = (kit: Toolkit, fault: Of<'crash'>): void => {
  const node = kit.target(fault.node)
  if (node?.state !== 'running') return
  kit.tell(fault, `${node.id} ${fault.kind === 'power' ? 'loses power' : 'is killed'}`, [node.id])
  kit.fell(node, fault.kind, fault.downMillis)
}

/** Part of the time between two storms that a process is down. */
const downOf = 0.25

export const storm = (kit: Toolkit, fault: Of<'restart-storm'>): void => {
  const nodes = kit.present().filter(({ state }) => state === 'running')
  const times = fault.times === 1 ? 'once' : `${fault.times} times`
  kit.tell(
    fault,
    `all restart, ${times}`,
    nodes.map(({ id }) => id),
  )
  for (let time = 0; time < fault.times; time++)
    kit.around.clock.after(time * fault.everyMillis, () => {
      if (kit.healed) return
      for (const node of kit.present())
        if (node.state === 'running' && !node.diskFails) kit.fell(node, fault.kind, fault.everyMillis * downOf)
    })
}

/** The process stops and goes on with its old beliefs: timers, messages and the disk wait for it. */
export const pause = (kit: Toolkit, fault: Of<'pause'>): void => {
  const node = kit.target(fault.node)
  if (node?.state !== 'running') return
  const { lives, id } = node
  const { network, tell } = kit.around
  kit.tell(fault, `${id} is stopped`, [id])
  tell({ type: 'paused', node: id })
  node.gate.pause()
  network.pause(id)
  kit.lasts(fault, [id], () => {
    if (node.lives !== lives || node.state !== 'running') return
    node.gate.resume()
    if (node.gate.paused) return
    network.resume(id)
    tell({ type: 'resumed', node: id })
  })
}
