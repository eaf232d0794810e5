import { createHash } from 'node:crypto'

/** The points of libketama's continuum for servers of equal weight, written from its description, with OpenSSL's MD5. */
export const continuumOf = (
  servers: readonly string[],
  weights = servers.map(() => 1),
): [point: number, server: string][] => {
  const float = new Float32Array(1)
  const single = (value: number): number => {
    float[0] = value
    return float[0]
  }
  const memory = single(weights.reduce((sum, weight) => sum + weight, 0))
  return servers
    .flatMap((server, at) => {
      const share = single(single(weights[at] ?? 0) / memory)
      return Array.from({ length: Math.floor(single(share * 40 * servers.length)) }, (_, index) => {
        const digest = createHash('md5').update(`${server}-${index}`).digest()
        return [0, 4, 8, 12].map((offset): [number, string] => [digest.readUInt32LE(offset), server])
      }).flat()
    })
    .sort(([a], [b]) => a - b)
}

/** Goes along the whole circle, point by point. */
export const ownerIn = (continuum: readonly [point: number, server: string][], key: string): string | undefined => {
  const place = createHash('md5').update(key).digest().readUInt32LE()
  return (continuum.find(([point]) => point >= place) ?? continuum[0])?.[1]
}

/** The part of the circle that belongs to each server. */
export const arcsOf = (continuum: readonly [point: number, server: string][]): ReadonlyMap<string, number> => {
  const arcs = new Map<string, number>()
  let from = (continuum.at(-1)?.[0] ?? 0) - 2 ** 32
  for (const [point, server] of continuum) {
    arcs.set(server, (arcs.get(server) ?? 0) + (point - from) / 2 ** 32)
    from = point
  }
  return arcs
}
