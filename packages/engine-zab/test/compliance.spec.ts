import { engineCompliance } from '@conclave/compliance/engine'
import { describe, test } from 'vitest'
import { zab } from '../src/index.ts'

engineCompliance({ factory: zab }).register({ describe, test })
