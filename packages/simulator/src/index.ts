export * from './plan.ts'
export * from './trace.ts'
export * from './shrink.ts'
export * from './timeline.ts'
