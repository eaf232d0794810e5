import assert from 'node:assert/strict'
import type { IncomingTransfer, NodeId } from '@conclave/interface'
import { sameBytes } from '../draw.ts'
import { rejects, Signal, TookTooLong, turns, within } from '../patience.ts'
import type { SuiteTest } from '../suite.ts'
import { inTown } from './messages.ts'
import type { TransportSubject } from './subject.ts'
import type { Started, Town } from './witness.ts'

const never = new AbortController().signal
const chunkBytes = 256 * 1024
const header = new TextEncoder().encode('the header')

async function* bodyOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

const send = (from: Started, to: Started, body: AsyncIterable<Uint8Array>, signal = never, head: Uint8Array = header) =>
  within('transfer', from.transport.transfer(to.id, head, body, signal))

/** What becomes of what `to` does with the next offer that it gets. */
const answering = (to: Started, answer: (transfer: IncomingTransfer, from: NodeId) => Promise<void>): Promise<void> => {
  const ended = within(
    'the end of the receiver',
    new Promise<void>((resolve, reject) => {
      to.witness.onOffer = (transfer, from) => {
        answer(transfer, from).then(resolve, reject)
      }
    }),
  )
  // It may fail while the sender's end is still awaited, which then tells more.
  ended.catch(() => {})
  return ended
}

const collect = async (transfer: IncomingTransfer): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of transfer.accept()) chunks.push(new Uint8Array(chunk))
  return Buffer.concat(chunks)
}

/** Counts what is asked of it, and whether it was put away. */
class CountedBody implements AsyncIterable<Uint8Array> {
  made = 0
  ended = false
  readonly signal = new Signal()
  readonly #chunks: number

  constructor(chunks: number) {
    this.#chunks = chunks
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (this.made < this.#chunks) {
        this.made++
        yield new Uint8Array(chunkBytes).fill(this.made)
      }
    } finally {
      this.ended = true
      this.signal.check()
    }
  }
}

/** Bytes that may be anywhere between the source of a body and a receiver that does not take them. */
const mostInBetween = 32 * 1024 * 1024

const pairTest = (
  subject: TransportSubject,
  name: string,
  body: (a: Started, b: Started, town: Town) => Promise<void>,
): SuiteTest =>
  inTown(subject, name, async (town) => {
    const [a, b] = await town.pair()
    await body(a, b, town)
  })

export const outcomes = (subject: TransportSubject): readonly SuiteTest[] => [
  pairTest(
    subject,
    'transfer: the header is offered, the body streams whole when the peer accepts, and it is accepted once confirmed',
    async (a, b) => {
      const chunks = Array.from({ length: 20 }, (_, at) => new Uint8Array(chunkBytes - at * 1000).fill(at))
      let confirmed = false
      const taken = answering(b, async (transfer, from) => {
        assert.equal(from, a.id)
        assert.ok(sameBytes(transfer.header, header), 'another header arrived')
        assert.ok(sameBytes(await collect(transfer), Buffer.concat(chunks)), 'another body arrived')
        await turns(20)
        confirmed = true
        transfer.confirm()
      })
      assert.equal(await send(a, b, bodyOf(...chunks)), 'accepted')
      assert.ok(confirmed, 'accepted before the peer had confirmed')
      await taken
    },
  ),
  pairTest(subject, 'transfer: a header of 64 KiB, and an empty body', async (a, b) => {
    const large = new Uint8Array(65_536).fill(7)
    const taken = answering(b, async (transfer) => {
      assert.ok(sameBytes(transfer.header, large))
      assert.equal((await collect(transfer)).length, 0)
      transfer.confirm()
    })
    assert.equal(await send(a, b, bodyOf(), never, large), 'accepted')
    await taken
  }),
  pairTest(
    subject,
    'transfer: rejected if the peer declines the offer; what is said when it is over is harmless',
    async (a, b) => {
      const taken = answering(b, async (transfer) => {
        transfer.reject()
        await turns(20)
        transfer.reject()
        transfer.confirm()
      })
      assert.equal(await send(a, b, bodyOf(new Uint8Array(10))), 'rejected')
      await taken
    },
  ),
  pairTest(subject, 'transfer: rejected if an accepted body could not be staged', async (a, b) => {
    const taken = answering(b, async (transfer) => {
      await collect(transfer)
      transfer.reject()
    })
    assert.equal(await send(a, b, bodyOf(new Uint8Array(10))), 'rejected')
    await taken
  }),
  pairTest(subject, 'transfer: throws if there is no link to the peer', async (a, b) => {
    b.witness.onOffer = (transfer) => transfer.reject()
    a.transport.setPeers([])
    await rejects(() => send(a, b, bodyOf(new Uint8Array(10))))
  }),
  {
    ...pairTest(
      subject,
      'transfer: an offer that nobody answers within the time-out counts as rejected',
      async (a, b) => {
        b.witness.onOffer = () => {}
        // The sender hears that, or hears nothing in time: it throws then.
        const outcome = await send(a, b, bodyOf(new Uint8Array(10))).catch((error: unknown) => {
          if (error instanceof TookTooLong) throw error
          return 'rejected'
        })
        assert.equal(outcome, 'rejected')
      },
    ),
    ...(subject.transferMillis === undefined && { skipped: 'the subject names no time-out (option transferMillis)' }),
  },
]

export const aborts = (subject: TransportSubject): readonly SuiteTest[] => [
  pairTest(subject, 'transfer: when the signal fires it throws, and so does the receiver’s loop', async (a, b) => {
    const giveUp = new AbortController()
    const taken = answering(b, async (transfer) => {
      await rejects(async () => {
        for await (const _ of transfer.accept()) giveUp.abort(new Error('enough'))
      })
      transfer.confirm()
      transfer.reject()
    })
    await rejects(() => send(a, b, new CountedBody(400), giveUp.signal))
    await taken
    await rejects(() => send(a, b, bodyOf(new Uint8Array(10)), giveUp.signal))
  }),
  pairTest(subject, 'accept: leaving the loop early aborts the transfer, and the body is put away', async (a, b) => {
    const taken = answering(b, async (transfer) => {
      for await (const _ of transfer.accept()) break
    })
    const body = new CountedBody(400)
    await rejects(() => send(a, b, body))
    await taken
    await body.signal.until('the end of the body', () => body.ended)
    assert.ok(body.made < 400, 'the whole body was made for somebody who had left')
  }),
  pairTest(subject, 'transfer: a body that throws ends it on both sides', async (a, b) => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1000)
      throw new Error('the disk fails')
    }
    const taken = answering(b, async (transfer) => {
      await rejects(() => collect(transfer), 'a body that broke off was taken for a whole one')
    })
    await rejects(() => send(a, b, broken()))
    await taken
  }),
  pairTest(
    subject,
    'transfer: throws if the peer goes away, and so does the receiver’s loop if the sender does',
    async (a, b) => {
      const gone = answering(b, async (transfer) => {
        for await (const _ of transfer.accept()) {
          await a.transport.close()
        }
      })
      const rejected = rejects(() => send(a, b, new CountedBody(400)))
      await rejects(() => gone)
      await rejected
    },
  ),
  pairTest(subject, 'transfer: throws if the receiver closes in the midst of it', async (a, b) => {
    b.witness.onOffer = (transfer) => {
      void (async () => {
        for await (const _ of transfer.accept()) await b.transport.close()
      })().catch(() => {})
    }
    await rejects(() => send(a, b, new CountedBody(400)))
  }),
]

export const flow = (subject: TransportSubject): readonly SuiteTest[] => [
  pairTest(subject, 'accept: back-pressure holds the body back, and no message waits behind it', async (a, b) => {
    const body = new CountedBody(256)
    let most = 0
    const taken = answering(b, async (transfer) => {
      let chunks = 0
      for await (const chunk of transfer.accept()) {
        chunks += chunk.length / chunkBytes
        most = Math.max(most, (body.made - chunks) * chunkBytes)
        if (b.witness.got.length === 0) {
          await turns(30)
          a.transport.send(b.id, [header], 'bulk')
          await b.witness.has(1)
        } else await turns(1)
      }
      assert.equal(Math.round(chunks), 256)
      transfer.confirm()
    })
    assert.equal(await send(a, b, body), 'accepted')
    await taken
    assert.ok(most < mostInBetween, `${most} bytes were made that the receiver had not taken`)
  }),
  pairTest(subject, 'transfer: several run at once', async (a, b) => {
    b.witness.onOffer = (transfer) => {
      void collect(transfer).then(
        (body) => (body.length === transfer.header[0] ? transfer.confirm() : transfer.reject()),
        () => {},
      )
    }
    const sizes = [1, 7, 200]
    const results = sizes.map((size) => send(a, b, bodyOf(new Uint8Array(size)), never, Uint8Array.of(size)))
    assert.deepEqual(await Promise.all(results), ['accepted', 'accepted', 'accepted'])
  }),
]
