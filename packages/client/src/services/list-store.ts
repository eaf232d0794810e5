/** Keeps a text beyond the end of the program. `fileListStore` keeps it in a file. */
export interface ListStore {
  /** Undefined: nothing was kept yet. */
  load(): Promise<string | undefined>
  /** Replaces what was kept as a whole: after a crash it is the old text or the new one. One call at a time. */
  save(text: string): Promise<void>
}
