import { describe, expect, test } from 'vitest'
import { check, type RegisterInput, registerModel } from '../src/index.ts'
import { call, open } from './history.ts'

const read = { type: 'read' } as const
const write = (value: number): RegisterInput => ({ type: 'write', value })
const model = registerModel(0)

describe('a register', () => {
  test('a stale read is illegal, and the window says which write it missed', () => {
    const result = check(model, [
      call(1, write(1), undefined, 0, 1),
      call(1, write(3), undefined, 2, 3),
      call(1, write(4), undefined, 4, 5),
      call(2, read, 3, 6, 7),
      call(2, read, 4, 8, 9),
    ])
    if (result.verdict !== 'illegal') throw new Error(result.verdict)
    expect(result.window.calls.map(({ text }) => text)).toEqual(['write 3', 'write 4', 'read → 3'])
    expect(result.window.why).toBe(
      'read → 3 (client 2) fits into no order: write 4 (client 1) had returned before it was invoked, and the state can only be 4 there.',
    )
  })

  test('a read may see a write that was still under way, and one whose outcome nobody knows', () => {
    expect(check(model, [call(1, write(1), undefined, 0, 9), call(2, read, 1, 2, 3)]).verdict).toBe('ok')
    expect(check(model, [open(1, write(1), 0), call(2, read, 0, 2, 3), call(2, read, 1, 20, 30)]).verdict).toBe('ok')
  })

  test('no read goes back', () => {
    const history = [open(1, write(1), 0), call(2, read, 1, 2, 3), call(3, read, 0, 4, 5)]
    expect(check(model, history).verdict).toBe('illegal')
  })
})
