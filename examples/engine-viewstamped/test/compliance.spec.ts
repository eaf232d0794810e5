import { engineCompliance } from '@conclave/compliance/engine'
import { describe, test } from 'vitest'
import { insight, viewstamped } from '../src/index.ts'

engineCompliance({ factory: viewstamped, insight }).register({ describe, test })
