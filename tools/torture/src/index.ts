/**
 * Two small worlds for the tests of an engine, without replica, journal or transport: one that a test drives by hand (`Cluster`), and one in which a
 * seeded hand does everything that may happen (`Storm`). See README.md for how an engine is hooked up.
 *
 * @packageDocumentation
 */
export { type Edit, loadBroken } from './broken-source.ts'
export { Cluster, lone } from './cluster.ts'
export { Disk } from './disk.ts'
export type { Cheat } from './host.ts'
export { add, captured, peer, propose, read, reconfigure, remove, snapshotId, transfer } from './inputs.ts'
export { check, type Invariants, Violation } from './invariants.ts'
export { changesAreJoint } from './joint.ts'
export { batches, type Flying, limits, type Make, members, membersInShort, type Node, timing } from './node.ts'
export { type Figures, noticed, storm, survive, survived } from './run.ts'
export { Storm, type StormInit } from './storm.ts'
export type { Subject } from './subject.ts'
export { batchInWords, type Words } from './transcript/in-words.ts'
export { scenes, settled, timeOut } from './transcript/scenes.ts'
export { type Scene, type Stage, transcript } from './transcript/transcript.ts'
