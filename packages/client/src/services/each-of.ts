/** Does something with each, at most so many at a time. @throws what the first one throws that does. */
export const eachOf = async <T>(all: readonly T[], atATime: number, use: (each: T) => Promise<void>): Promise<void> => {
  const left = all.values()
  const work = async (): Promise<void> => {
    for (const each of left) await use(each)
  }
  await Promise.all(Array.from({ length: Math.min(atATime, all.length) }, work))
}
