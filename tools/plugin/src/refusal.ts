/** What was asked for cannot be made. Nothing was written. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code = 'refused'
  readonly definite = true
}
