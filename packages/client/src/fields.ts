import { type ByteReader, type ByteWriter, MalformedBytes, type NodeId, nodeId } from '@conclave/interface'

export const maxNodeIdBytes = 128
export const maxNameBytes = 63
export const maxAddresses = 16
export const maxAddressBytes = 256

export const pick = <T>(values: readonly T[], index: number, what: string): T => {
  const value = values[index]
  if (value === undefined) throw new MalformedBytes(`${what} ${index}`)
  return value
}

export const count = (value: number, most: number, what: string): number => {
  if (value > most) throw new MalformedBytes(`${value} ${what}; at most ${most} are allowed`)
  return value
}

/** Calls `read` as often as was counted. */
export const times = <T>(counted: number, read: () => T): T[] => {
  const values: T[] = []
  for (let left = counted; left > 0; left--) values.push(read())
  return values
}

export const writeAddresses = (writer: ByteWriter, addresses: readonly string[]): ByteWriter => {
  const some = addresses.slice(0, maxAddresses)
  writer.u8(some.length)
  for (const address of some) writer.string(address)
  return writer
}

export const readAddresses = (reader: ByteReader): string[] =>
  times(count(reader.u8(), maxAddresses, 'addresses'), () => reader.string(maxAddressBytes))

export const readNodeId = (reader: ByteReader): NodeId => {
  const id = reader.string(maxNodeIdBytes)
  if (id === '') throw new MalformedBytes('an empty node id')
  return nodeId(id)
}
