import { engineCompliance } from '@conclave/compliance/engine'
import { describe, test } from 'vitest'
import { paxos } from '../src/index.ts'

engineCompliance({ factory: paxos }).register({ describe, test })
