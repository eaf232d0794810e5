import {
  type ApplyContext,
  ByteReader,
  ByteWriter,
  type Capture,
  type Feed,
  MalformedBytes,
  type Service,
  type ServiceEffects,
  type ServiceInput,
  type StateMachine,
} from '@conclave/interface'

/** What can be wrong with a machine; each is a mistake that somebody makes. */
export const machineFaults = [
  'reads the clock',
  'keeps a view of the command',
  'throws at a malformed command',
  'applies half of a malformed command',
  'hashes in order of insertion',
  'counts its queries',
  'captures what it goes on changing',
  'forgets a part of the state in its snapshot',
  'restores half of a malformed body',
  'adds the restored state to its own',
  'throws at a malformed body what it likes',
  'tells events twice',
  'has a service that writes',
  'has a service that throws at what it cannot read',
  'has a service that leaves out an answer',
  'has a service that answers twice',
  'has a service that answers whom it has forgotten',
  'has a service that draws lots',
  'has a service that lets malformed commands wait',
] as const
export type MachineFault = (typeof machineFaults)[number]

const fnv = (bytes: Uint8Array): string => {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn
  return hash.toString(16).padStart(16, '0')
}

/** A command is a register (0 to 9) and up to 32 bytes for it. */
export const registerCommand = (register: number, value: Uint8Array): Uint8Array => Uint8Array.of(register, ...value)
const malformed = Uint8Array.of(1)
const done = Uint8Array.of(0)

/** Ten registers: the smallest machine with everything that a machine may have, right or broken in one way. */
export class Registers implements StateMachine {
  readonly name = 'registers'
  readonly #fault: MachineFault | undefined
  #values = new Map<number, Uint8Array>()
  #log: Uint8Array[] = []

  constructor(fault?: MachineFault) {
    this.#fault = fault
  }

  apply(command: Uint8Array, _: ApplyContext): Uint8Array {
    const register = command[0]
    if (register === undefined || register > 9 || command.length > 33) {
      if (this.#fault === 'throws at a malformed command') throw new MalformedBytes('no such register')
      if (this.#fault === 'applies half of a malformed command') this.#values.set(0, malformed)
      return malformed
    }
    const view = command.subarray(1)
    this.#values.set(register, this.#fault === 'keeps a view of the command' ? view : new Uint8Array(view))
    this.#log.push(Uint8Array.of(register))
    return this.#fault === 'reads the clock' ? Uint8Array.of(Date.now() % 2) : done
  }

  service(): Service {
    return new RegisterService(this, this.#fault)
  }

  /** What no service may do. */
  scribble(): void {
    this.#values.set(0, malformed)
  }

  query(query: Uint8Array): Uint8Array {
    if (this.#fault === 'counts its queries') this.#values.set(0, Uint8Array.of((this.#values.get(0)?.[0] ?? 0) + 1))
    return this.#values.get(query[0] ?? 255) ?? malformed
  }

  watch(request: Uint8Array): Feed | undefined {
    if (request.length !== 1 || request[0] !== 7) return undefined
    let seen = 0
    return {
      poll: () => {
        if (seen > this.#log.length) seen = this.#log.length
        const events = this.#log.slice(seen).map((event) => event[0] ?? 0)
        const again = this.#fault === 'tells events twice' && events.length === 1 && this.#log.length % 10 === 0
        if (!again) seen = this.#log.length
        return events.length === 0 ? undefined : Uint8Array.from(events)
      },
      close: () => {},
    }
  }

  #encode(values: ReadonlyMap<number, Uint8Array>, sorted: boolean): Uint8Array {
    const writer = new ByteWriter()
    const registers = [...values.keys()]
    if (sorted) registers.sort((a, b) => a - b)
    for (const register of registers) writer.u8(register).bytes(values.get(register) ?? malformed)
    return writer.take()
  }

  hash(): string {
    return fnv(this.#encode(this.#values, this.#fault !== 'hashes in order of insertion'))
  }

  capture(): Capture {
    const values = this.#fault === 'captures what it goes on changing' ? this.#values : new Map(this.#values)
    if (this.#fault === 'forgets a part of the state in its snapshot') values.delete(9)
    const encode = (): Uint8Array => this.#encode(values, true)
    return {
      body: async function* () {
        const body = encode()
        yield new ByteWriter().string(fnv(body)).bytes(body).take()
      },
      release: () => {},
    }
  }

  async restore(body: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks: Uint8Array[] = []
    for await (const chunk of body) {
      chunks.push(chunk)
      if (this.#fault === 'restores half of a malformed body') this.#values.clear()
    }
    const whole = new ByteReader(Buffer.concat(chunks))
    try {
      this.#fill(whole)
    } catch (error) {
      throw this.#fault === 'throws at a malformed body what it likes' ? new TypeError(String(error)) : error
    }
  }

  #fill(whole: ByteReader): void {
    const hash = whole.string()
    const bytes = whole.bytes()
    whole.end()
    if (fnv(bytes) !== hash) throw new MalformedBytes('the body has another hash')
    const reader = new ByteReader(bytes)
    const values = new Map<number, Uint8Array>()
    while (reader.left > 0) values.set(reader.u8(), new Uint8Array(reader.bytes()))
    if (this.#fault === 'adds the restored state to its own')
      for (const [at, value] of values) this.#values.set(at, value)
    else this.#values = values
    this.#log = []
  }
}

/**
 * A request is a register and three bytes more: its value is told after the next tick of the leader. A command waits for that tick as well.
 */
class RegisterService implements Service {
  readonly #registers: Registers
  readonly #fault: MachineFault | undefined
  #reigns = false
  #held: { readonly call: number; readonly register: number }[] = []
  #waiting: number[] = []
  #answers: ServiceEffects['answers'][number][] = []
  #admitted: ServiceEffects['admitted'][number][] = []

  constructor(registers: Registers, fault: MachineFault | undefined) {
    this.#registers = registers
    this.#fault = fault
  }

  step(input: ServiceInput): void {
    if (input.type === 'reigns') this.#reigns = true
    if (input.type === 'deposed') this.#depose()
    if (input.type === 'tick') this.#tell()
    if (input.type === 'ask') this.#ask(input.call, input.request)
    if (input.type === 'withdrawn') this.#held = this.#held.filter(({ call }) => call !== input.call)
    if (input.type === 'admit') this.#admit(input.admission, input.command)
  }

  #depose(): void {
    this.#reigns = false
    if (this.#fault !== 'has a service that answers whom it has forgotten') this.#held = []
    this.#waiting = []
  }

  #ask(call: number, request: Uint8Array): void {
    const [register = 255] = request
    if (request.length !== 4 || register > 9) {
      if (this.#fault === 'has a service that throws at what it cannot read') throw new MalformedBytes('no request')
      if (this.#fault !== 'has a service that leaves out an answer') this.#answers.push({ call, refused: 'invalid' })
    } else if (this.#reigns) this.#held.push({ call, register })
    else this.#answers.push({ call, refused: 'not-leader' })
  }

  #admit(admission: number, command: Uint8Array): void {
    const bad = command.length === 0 || command.length > 33 || (command[0] ?? 0) > 9
    if (!bad || this.#fault === 'has a service that lets malformed commands wait') this.#waiting.push(admission)
    else this.#admitted.push({ admission, refused: 'invalid' })
  }

  #tell(): void {
    if (this.#fault === 'has a service that writes') this.#registers.scribble()
    for (const { call, register } of this.#held.splice(0)) {
      const reply = this.#registers.query(Uint8Array.of(register))
      this.#answers.push({ call, reply })
      if (this.#fault === 'has a service that answers twice') this.#answers.push({ call, reply })
    }
    for (const admission of this.#waiting.splice(0)) {
      const refuse = this.#fault === 'has a service that draws lots' && Math.random() < 0.5
      this.#admitted.push({ admission, ...(refuse && { refused: 'overloaded' as const }) })
    }
  }

  drain(): ServiceEffects {
    const effects = { answers: this.#answers, admitted: this.#admitted, propose: [] }
    this.#answers = []
    this.#admitted = []
    return effects
  }
}
