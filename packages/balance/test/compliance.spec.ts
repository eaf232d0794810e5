import { balancerCompliance } from '@conclave/compliance/balance'
import { describe, test } from 'vitest'
import { strategies, strategyNames } from '../src/index.ts'

for (const name of strategyNames)
  balancerCompliance({
    name,
    balancer: (random) => strategies[name].factory({ random, now: () => 0 }),
    candidate: (index) => ({ id: `10.0.0.${index}:80` }),
    request: (index) => ({ key: `key ${index}` }),
  }).register({ describe, test })
