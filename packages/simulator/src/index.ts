export {
  Campaign,
  type CampaignInit,
  type CampaignSummary,
  campaign,
  type Failure,
  leastRunsForMarks,
  reportOf,
} from './campaign.ts'
export { settlePromises, VirtualClock } from './clock.ts'
export { element, escaped } from './diagram/svg.ts'
export * from './diagram.ts'
export type { HistoryOperation } from './history.ts'
export { type EngineInsight, InvalidInsight, insightFrom } from './insight.ts'
export { type Broken, type Invariant, invariants } from './invariants/index.ts'
export { paxosInsight } from './marks/paxos.ts'
export { raftInsight } from './marks/raft.ts'
export { zabInsight } from './marks/zab.ts'
export { commonMarks, faultTypes, type Mark, type MarkSet } from './marks.ts'
export * from './measure/index.ts'
export type { FinalState, Observation } from './observation.ts'
export { InvalidPlan, parsePlan } from './parse-plan.ts'
export type { Hooks, Parts } from './parts.ts'
export * from './plan.ts'
export { defaultDurationMillis, type PlanOptions, planOf } from './planning.ts'
export { type Counts, type RunOptions, type RunResult, run } from './run.ts'
export * from './shrink.ts'
export * from './timeline.ts'
export * from './trace.ts'
export type { Violation } from './world.ts'
