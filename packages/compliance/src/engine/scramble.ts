import { Cell } from './cell.ts'
import type { Findings } from './findings.ts'
import type { EngineSubject } from './subject.ts'

const worlds = 40
const rounds = 80

/**
 * Many short lives of one small cluster, in which messages wait long and overtake each other, and nodes restart at once with all that they had written:
 * what two rivals asked before is answered after somebody has forgotten whatever it did not write.
 */
export const scramble = (subject: EngineSubject, seed: number): Findings => {
  for (let world = 0; world < worlds; world++) {
    const cell = new Cell(subject, seed * worlds + world)
    for (let round = 0; round < rounds; round++) live(cell)
    if (cell.findings.all.size > 0) return cell.findings
  }
  return new Cell(subject, seed).findings
}

const live = (cell: Cell): void => {
  const { draw } = cell
  cell.tick(cell.nodes.filter(() => draw.chance(0.8)))
  for (let left = cell.flying.length; left > 0; left--) {
    const [message] = cell.flying.splice(draw.below(cell.flying.length), 1)
    if (message === undefined) return
    if (draw.chance(0.4)) cell.deliver(message)
    else if (draw.chance(0.95)) cell.flying.push(message)
  }
  for (const node of cell.nodes) if (draw.chance(0.8)) node.sync(cell.now)
  const leader = cell.nodes.find(({ alive, status }) => alive && status.leading)
  if (leader !== undefined && draw.chance(0.3)) cell.propose(leader)
  const victim = cell.nodes[draw.below(cell.nodes.length)]
  if (victim === undefined || !victim.alive || !draw.chance(0.08)) return
  victim.crash(draw.below(victim.unsynced + 1))
  cell.restart(victim)
}
