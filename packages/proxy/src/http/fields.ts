/**
 * What becomes of header fields on their way: those of one connection are dropped (RFC 9110, section 7.6.1), those that tell of the way are added to.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Forwarding } from '../options.ts'

type Kind = 'drop' | 'connection' | 'host' | 'length' | 'coding' | 'trailer' | 'expect' | 'upgrade' | 'via' | 'told'

/** Fields that do not go on as they are. `Proxy` would become `HTTP_PROXY` in CGI programs. */
const kinds = new Map<string, Kind>([
  ['connection', 'connection'],
  ['keep-alive', 'drop'],
  ['proxy-connection', 'drop'],
  ['proxy-authorization', 'drop'],
  ['proxy', 'drop'],
  ['te', 'drop'],
  ['transfer-encoding', 'coding'],
  ['upgrade', 'upgrade'],
  ['http2-settings', 'drop'],
  ['host', 'host'],
  ['content-length', 'length'],
  ['trailer', 'trailer'],
  ['expect', 'expect'],
  ['via', 'via'],
  ['x-forwarded-for', 'told'],
  ['x-forwarded-proto', 'told'],
  ['x-forwarded-host', 'told'],
  ['forwarded', 'told'],
])
const lengths = new Set([...kinds.keys()].map((name) => name.length))

/** Most names are told apart by their length alone. */
const kindOf = (name: string): Kind | undefined => {
  if (!lengths.has(name.length)) return undefined
  return kinds.get(name) ?? kinds.get(name.toLowerCase())
}

/** Whether a trailer goes on: not what has a meaning for framing, routing or the way of a message (RFC 9110, section 6.5.1). */
export const mayTrail = (name: string): boolean => kindOf(name) === undefined

/** What a client says of a request, as far as the proxy goes by it. */
export interface RequestHead {
  /** Name and value in turn, for the instance, Host among them; without framing. */
  readonly fields: string[]
  readonly body: 'none' | 'length' | 'chunked'
  /** The value of Content-Length, if it was sent. */
  readonly contentLength: string | undefined
  /** Trailers may follow. */
  readonly trailers: boolean
  /** `Expect: 100-continue` was sent. */
  readonly expects: boolean
  /** The value of Upgrade, if the connection is to be upgraded. */
  readonly upgrade: string | undefined
}

/** Why a request cannot be passed on. */
export interface BadRequest {
  readonly status: 400 | 431 | 501
  readonly why: string
}

export interface HeadRules {
  readonly forwarded: Forwarding
  readonly via: string
  /** Of header fields. */
  readonly most: number
}

/** Reads the header section of a request, and makes the one for the instance. @param authority stands in for what Host says. */
export const requestHead = (
  req: IncomingMessage,
  client: string,
  rules: HeadRules,
  authority?: string,
): RequestHead | BadRequest => {
  const raw = req.rawHeaders
  if (raw.length > rules.most * 2) return { status: 431, why: `the header section has more than ${rules.most} fields` }
  const fields: string[] = []
  const told: string[] = []
  let host = authority
  let [contentLength, coding, via, nominated, upgrade] = Array<string | undefined>(5)
  let [hosts, trailers, expects] = [0, false, false]
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ''
    const value = raw[at + 1] ?? ''
    const kind = kindOf(name)
    switch (kind) {
      case undefined:
        fields.push(name, value)
        break
      case 'drop':
        break
      case 'connection':
        nominated = nominated === undefined ? value : `${nominated},${value}`
        break
      case 'host':
        hosts++
        host = authority ?? value
        break
      case 'length':
        contentLength = value
        break
      case 'coding':
        coding = coding === undefined ? value : `${coding},${value}`
        break
      case 'trailer':
        trailers = true
        fields.push(name, value)
        break
      case 'expect':
        // HTTP/1.0 knows no 1xx (RFC 9110, section 10.1.1).
        expects = req.httpVersionMinor > 0 && value.toLowerCase() === '100-continue'
        break
      case 'upgrade':
        upgrade = upgrade === undefined ? value : `${upgrade}, ${value}`
        break
      case 'via':
        via = via === undefined ? value : `${via}, ${value}`
        break
      case 'told':
        told.push(name, value)
        break
      default:
        return kind satisfies never
    }
  }
  if (hosts > 1) return { status: 400, why: 'there is more than one Host' }
  if (hosts === 0 && req.httpVersionMinor > 0) return { status: 400, why: 'there is no Host' }
  if (coding !== undefined) {
    // A coding that nobody here undoes would be lost on the way, and a length beside it is how requests are smuggled.
    if (coding.toLowerCase() !== 'chunked') return { status: 501, why: 'no transfer coding but chunked is known here' }
    if (req.httpVersionMinor === 0 || contentLength !== undefined)
      return { status: 400, why: 'Transfer-Encoding has no place in this request' }
  }
  if (rules.forwarded !== 'replace') fields.push(...told)
  const kept = nominated === undefined ? fields : withoutNominated(fields, nominated)
  if (host !== undefined) kept.push('host', host)
  const hop = `${req.httpVersion} ${rules.via}`
  kept.push('via', via === undefined ? hop : `${via}, ${hop}`)
  if (rules.forwarded !== 'off') tell(kept, client, host)
  return {
    fields: kept,
    body:
      coding !== undefined ? 'chunked' : contentLength === undefined || Number(contentLength) === 0 ? 'none' : 'length',
    contentLength,
    trailers,
    expects,
    upgrade,
  }
}

/** Connection options that name no field. */
const options = new Set(['close', 'keep-alive', 'upgrade', 'te', ''])

const namesIn = (list: string): string[] =>
  list
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())

/** Without the fields that Connection names: they are meant for this connection only. */
const withoutNominated = (fields: string[], nominated: string): string[] => {
  const names = new Set(namesIn(nominated).filter((name) => !options.has(name)))
  if (names.size === 0) return fields
  return fields.filter((_, at) => !names.has((fields[at - (at % 2)] ?? '').toLowerCase()))
}

const tell = (fields: string[], client: string, host: string | undefined): void => {
  const node = client.includes(':') ? `"[${client}]"` : client
  fields.push('x-forwarded-for', client, 'x-forwarded-proto', 'http')
  if (host === undefined) {
    fields.push('forwarded', `for=${node};proto=http`)
    return
  }
  fields.push('x-forwarded-host', host)
  // Only what fits into a token or a quoted string of RFC 7239 is told.
  const quoted = /^[A-Za-z0-9.-]+$/.test(host) ? host : `"${host.replaceAll(/["\\]/g, '')}"`
  fields.push('forwarded', `for=${node};host=${quoted};proto=http`)
}

/** Of a response: what does not go on to the client. */
const dropped = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'transfer-encoding',
  'upgrade',
])

export interface ResponseHead {
  /** Name and value in turn. */
  readonly fields: string[]
  /** Bytes of the body that are announced; undefined if they are not. */
  readonly length: number | undefined
}

/** Undici gives a field that came several times as several values, Node's client as one. */
const joined = (value: string | readonly string[] | undefined): string | undefined =>
  value === undefined ? undefined : String(value)

/** The header section for the client. Undefined: the status is none, or the body is in a coding that nobody here undoes. */
export const responseHead = (status: number, headers: IncomingHttpHeaders, via: string): ResponseHead | undefined => {
  const fields: string[] = []
  const [coding, connection] = [joined(headers['transfer-encoding']), joined(headers.connection)]
  if (status < 100) return undefined
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return undefined
  const nominated =
    connection === undefined || options.has(connection.toLowerCase()) ? undefined : new Set(namesIn(connection))
  let length: number | undefined
  let hops = `1.1 ${via}`
  for (const name in headers) {
    if (dropped.has(name) || nominated?.has(name)) continue
    const value = headers[name]
    if (value === undefined) continue
    if (name === 'via') hops = `${value}, ${hops}`
    else if (name === 'content-length') {
      // There must be none in these (RFC 9110, section 8.6), and none beside a transfer coding.
      if (status === 204 || status < 200 || coding !== undefined) continue
      length = Number(value)
      fields.push(name, String(value))
    } else if (typeof value === 'string') fields.push(name, value)
    else for (const each of value) fields.push(name, each)
  }
  fields.push('via', hops)
  return { fields, length }
}
