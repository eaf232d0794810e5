/**
 * A reverse proxy for HTTP and TCP in front of a live list of instances, each request or connection to the one that a balancer chooses.
 *
 * @example
 * ```ts
 * import { createProxy, fixedInstances } from '@conclave/proxy'
 *
 * const balancer = { pick: (_, candidates) => candidates[Math.floor(Math.random() * candidates.length)] }
 * await using proxy = await createProxy({
 *   mode: 'http',
 *   listen: { port: 8080 },
 *   source: fixedInstances(['10.0.0.7:3000', '10.0.0.8:3000']),
 *   balancer,
 * })
 * ```
 *
 * @packageDocumentation
 */
export type { AccessEntry, HttpAccessEntry, TcpAccessEntry } from './access.ts'
export { AttemptEnded, type EndReason, ServerFailure } from './errors.ts'
export type { InstanceView, ProxyEvents } from './events.ts'
export type { InstanceState, ProxyBalancer, ProxyCandidate, ProxyRequest } from './instance.ts'
export type {
  Histogram,
  InstanceMetrics,
  ProxyMetrics,
  Refusal,
  RetryReason,
  StatusClass,
} from './metrics.ts'
export {
  defaultLimits,
  defaultRetries,
  defaultTimeouts,
  type Forwarding,
  type HealthCheck,
  type HttpProxyOptions,
  type Limits,
  type Listen,
  type ProxyOptions,
  type Retries,
  type Sticky,
  type StickyCookieInit,
  type TcpProxyOptions,
  type Timeouts,
} from './options.ts'
export { prometheusText } from './prometheus.ts'
export { type ConclaveProxy, createProxy } from './proxy.ts'
export { fixedInstances, type InstanceSource, type ProxyInstance } from './source.ts'
