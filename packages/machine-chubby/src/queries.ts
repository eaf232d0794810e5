/** What can be asked of the state. The bytes are described in docs/formats/chubby.md. */
export type ChubbyQuery =
  | { readonly type: 'stat'; readonly path: string }
  | { readonly type: 'file'; readonly path: string }
  /** `after`: names behind this one, empty from the first. */
  | { readonly type: 'children'; readonly path: string; readonly after: string; readonly limit: number }
  | { readonly type: 'checkSequencer'; readonly sequencer: Uint8Array }
  | { readonly type: 'sessions'; readonly after: bigint; readonly limit: number }
  | { readonly type: 'session'; readonly session: bigint; readonly after: number }
  /** Below this directory, or the lock of this very node. */
  | { readonly type: 'locks'; readonly prefix: string; readonly after: string; readonly limit: number }
  | { readonly type: 'info' }
