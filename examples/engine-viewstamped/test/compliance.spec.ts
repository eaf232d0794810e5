import { engineCompliance } from '@conclave/compliance/engine'
import { describe, test } from 'vitest'
import { viewstamped } from '../src/index.ts'

engineCompliance({ factory: viewstamped }).register({ describe, test })
