export * from './plan.ts'
export * from './trace.ts'
