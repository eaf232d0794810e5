import { engineCompliance } from '@conclave/compliance/engine'
import { raftInsight } from '@conclave/simulator'
import { describe, test } from 'vitest'
import { raft } from '../src/index.ts'

engineCompliance({ factory: raft, insight: raftInsight }).register({ describe, test })
