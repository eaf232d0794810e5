/**
 * The names of strategies and presets, without what they stand for: for a command line that has to list them before it knows whether it needs any.
 *
 * @packageDocumentation
 */

/** The names of all strategies, in the order in which lists show them. */
export const strategyNames = [
  'random',
  'weighted-random',
  'round-robin',
  'smooth-weighted',
  'least-requests',
  'p2c',
  'peak-ewma',
  'ring-hash',
  'maglev',
  'rendezvous',
  'bounded-load',
] as const
export type StrategyName = (typeof strategyNames)[number]

/** The names of all presets of the simulation. */
export const presetNames = ['uniform', 'heterogeneous', 'one-slow', 'one-failing', 'skewed-keys', 'churn'] as const
export type PresetName = (typeof presetNames)[number]
