import { describe, expect, test } from 'vitest'
import { type ByteString, toByteString } from '../src/keys.ts'
import { Slab } from '../src/slab.ts'
import { Store } from '../src/store.ts'

const key = (text: string): ByteString => toByteString(new TextEncoder().encode(text))
const bytes = (fill: number, length: number): Uint8Array => new Uint8Array(length).fill(fill)

describe('slabs', () => {
  test('copy: what is copied does not change with its source', () => {
    const slab = new Slab()
    const source = bytes(1, 100)
    const copies = [
      slab.copy(source),
      slab.copy(bytes(2, 100)),
      slab.copy(bytes(3, 60_000)),
      slab.copy(new Uint8Array(0)),
    ]
    source.fill(9)
    expect(copies).toEqual([bytes(1, 100), bytes(2, 100), bytes(3, 60_000), new Uint8Array(0)])
    expect(copies[0]?.buffer).toBe(copies[1]?.buffer)
    expect(copies[2]?.buffer).not.toBe(copies[0]?.buffer)
  })

  test('a value that outlives its event keeps no slab alive', () => {
    const store = new Store({ events: 10, bytes: 1 << 20 })
    store.put(key('stays'), bytes(7, 100))
    expect(store.get(key('stays'))?.value.buffer.byteLength).toBeGreaterThan(100)
    for (let i = 0; i < 20; i++) store.put(key('changes'), bytes(i, 100))
    expect(store.get(key('stays'))?.value).toEqual(bytes(7, 100))
    expect(store.get(key('stays'))?.value.buffer.byteLength).toBe(100)
  })

  test('letting go of an event changes no hash', () => {
    const [few, many] = [new Store({ events: 1, bytes: 0 }), new Store({ events: 1, bytes: 0 })]
    for (const store of [few, many]) for (let i = 0; i < 50; i++) store.put(key(`k${i % 7}`), bytes(i, 40))
    expect(few.hash()).toBe(many.hash())
    expect([...few.entries.entriesFrom(key(''))].map((entry) => entry.value[0])).toEqual([49, 43, 44, 45, 46, 47, 48])
  })
})
