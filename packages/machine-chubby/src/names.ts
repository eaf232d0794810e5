/**
 * Which of two well-formed strings comes first by the bytes of its UTF-8, which is the order of code points. Plain `<` goes by UTF-16, where what lies above
 * U+FFFF comes before U+E000.
 */
export const byBytes = (a: string, b: string): number => {
  const most = Math.min(a.length, b.length)
  for (let at = 0; at < most; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (left === right) continue
    const [leftHalf, rightHalf] = [isSurrogate(left), isSurrogate(right)]
    return leftHalf === rightHalf ? left - right : leftHalf ? 1 : -1
  }
  return a.length - b.length
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff

/** The names in one directory. They are put in order when somebody asks for it, not whenever one comes or goes. */
export class Names {
  readonly #names: Set<string>
  #inOrder: readonly string[] | undefined

  constructor(first: string) {
    this.#names = new Set([first])
  }

  get size(): number {
    return this.#names.size
  }

  get inOrder(): readonly string[] {
    this.#inOrder ??= [...this.#names].sort(byBytes)
    return this.#inOrder
  }

  add(name: string): void {
    this.#names.add(name)
    this.#inOrder = undefined
  }

  delete(name: string): void {
    this.#names.delete(name)
    this.#inOrder = undefined
  }
}
