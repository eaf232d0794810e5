import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ClientClosed } from '../src/errors.ts'
import { FileProblem } from '../src/locks/errors.ts'
import { EventStream } from '../src/locks/event-stream.ts'
import { fileListStore, keepRegistered, type RegistrationState } from '../src/recipes.ts'
import { checkedAddress, checkedInstance, checkedInstanceId, checkedServiceName } from '../src/services/instance.ts'
import { decodeInstance, encodeInstance } from '../src/services/instance-record.ts'
import { ListKeeper } from '../src/services/list-keeper.ts'
import { decodeList, encodeList } from '../src/services/service-list.ts'

const instance = checkedInstance({ address: '[fe80::1]:443', id: 'one', weight: 2.5, tags: ['a', 'b'], zone: 'z' })

test('an address is a host and a port', () => {
  const fit = ['10.0.0.1:80', 'web:1', 'a-b.c_d.example:65535', '[::1]:80', '[2001:db8::192.0.2.1]:8080', '_x:1']
  for (const address of fit) expect(checkedAddress(address)).toBe(address)
  const unfit = [
    '',
    'web',
    ':80',
    'web:',
    'web:0',
    'web:080',
    'web:65536',
    'web:-1',
    'web:1x',
    '::1:80',
    '[::1]',
    '[web]:80',
  ]
  const more = [
    '1.2.3:80',
    '256.0.0.1:80',
    'a..b:80',
    '-a:80',
    'a b:80',
    '[fe80::1%eth0]:80',
    'http://web:80',
    'web:80/',
    'w\n:80',
  ]
  for (const address of [...unfit, ...more]) expect(() => checkedAddress(address), address).toThrow(RangeError)
  expect(() => checkedAddress(80)).toThrow(TypeError)
})

test('the name of a service and the id of an instance are parts of a path', () => {
  for (const name of ['web', 'Web-2.eu_1', '9', 'x'.repeat(63)]) expect(checkedServiceName(name)).toBe(name)
  for (const name of ['', '.', '..', '.a', '-a', 'a/b', 'a b', 'ä', 'x'.repeat(64)])
    expect(() => checkedServiceName(name), name).toThrow(RangeError)
  for (const id of ['10.0.0.1:80', '[::1]:80', '-', 'x'.repeat(255)]) expect(checkedInstanceId(id)).toBe(id)
  for (const id of ['', '.', '..', 'a/b', 'a\0', 'x'.repeat(256)])
    expect(() => checkedInstanceId(id)).toThrow(RangeError)
})

test('an instance is whole, and within its bounds', () => {
  const address = '10.0.0.1:80'
  expect(checkedInstance({ address })).toEqual({ id: address, address, weight: 1, tags: [], health: 'passing' })
  expect(checkedInstance({ address, tags: ['a', 'a'] }).tags).toEqual(['a'])
  for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => checkedInstance({ address, weight })).toThrow(RangeError)
  for (const tags of [[''], ['x'.repeat(65)], ['a\nb'], ['\ud800'], Array(33).fill('a')])
    expect(() => checkedInstance({ address, tags })).toThrow(RangeError)
  expect(() => checkedInstance({ address, zone: '' })).toThrow(RangeError)
  expect(() => checkedInstance({ address, health: 'well' })).toThrow(RangeError)
  for (const wrong of [{ weight: '1' }, { tags: 'a' }, { tags: [1] }, { zone: 1 }, { id: 1 }])
    expect(() => checkedInstance({ address, ...wrong })).toThrow(TypeError)
})

test('the file of an instance is version 1, byte for byte', () => {
  const text =
    '{"version":1,"address":"[fe80::1]:443","weight":2.5,"tags":["a","b"],"health":"passing","zone":"z","owner":"me"}'
  expect(encodeInstance({ instance, owner: 'me' })).toBe(text)
  expect(decodeInstance('one', text)).toEqual({ instance, owner: 'me' })
  expect(decodeInstance('a', '{"version":1,"address":"b:1","later":true}')).toEqual({
    instance: { id: 'a', address: 'b:1', weight: 1, tags: [], health: 'passing' },
  })
  for (const wrong of ['', '[]', 'null', '{"version":1}', '{"version":2,"address":"b:1"}', '{"address":"b:1"}'])
    expect(() => decodeInstance('a', wrong), wrong).toThrow()
})

test('the kept list of a service is version 1, byte for byte', () => {
  const list = {
    path: '/ls/local/services',
    service: 'web',
    at: Date.UTC(2030, 0, 2, 3, 4, 5, 6),
    instances: [instance],
  }
  const text = encodeList(list)
  expect(text).toMatchInlineSnapshot(`
    "{
     "version": 1,
     "path": "/ls/local/services",
     "service": "web",
     "at": "2030-01-02T03:04:05.006Z",
     "instances": [
      {
       "id": "one",
       "address": "[fe80::1]:443",
       "weight": 2.5,
       "tags": [
        "a",
        "b"
       ],
       "health": "passing",
       "zone": "z"
      }
     ]
    }
    "
  `)
  expect(decodeList(text, list.path, list.service)).toEqual(list)
  expect(() => decodeList(text, list.path, 'other')).toThrow('it is a list of "web" in "/ls/local/services"')
  expect(() => decodeList(text, '/ls/local/other', 'web')).toThrow(RangeError)
  expect(() => decodeList(text.replace('2030-', 'in 2030-'), list.path, 'web')).toThrow(RangeError)
  expect(() => decodeList(text.replace('443', '0'), list.path, 'web')).toThrow(RangeError)
  expect(() => decodeList(text.slice(0, -3), list.path, 'web')).toThrow(SyntaxError)
})

test('a list is replaced in its file as a whole, and nothing is left beside it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-list-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const file = join(directory, 'web.json')
  const store = fileListStore(file)
  expect(await store.load()).toBeUndefined()
  await store.save('first')
  const reader = await readFile(file, 'utf8')
  await Promise.all([store.save('second'), fileListStore(file).save('third')])
  expect(reader).toBe('first')
  expect(['second', 'third']).toContain(await store.load())
  expect(await readdir(directory)).toEqual(['web.json'])
  await expect(fileListStore(join(directory, 'none', 'web.json')).save('x')).rejects.toThrow(/ENOENT/)
  await writeFile(join(directory, 'plain'), '')
  await expect(fileListStore(directory).save('x')).rejects.toThrow()
  expect((await readdir(directory)).sort()).toEqual(['plain', 'web.json'])
})

test('a problem that has no text in JSON does not end the registration', async () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  const problems = [new FileProblem('mismatch', '/ls/local/services', 7n), circular, new ClientClosed(true)]
  const states: RegistrationState[] = []
  const kept = keepRegistered({ session: () => Promise.reject(problems.shift()) }, 'web', instance, {
    onState: (state) => states.push(state),
  })
  expect(await kept.ended).toBe('closed')
  expect(states.map(({ type }) => type)).toEqual(['registering', 'registering', 'closed'])
})

test('lists are saved one after the other, and the last one always', async () => {
  const saved: string[] = []
  const ends: (() => void)[] = []
  const troubles: unknown[] = []
  const save = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      saved.push(text)
      ends.push(saved.length === 1 ? () => reject(new Error('no room')) : resolve)
    })
  const keeper = new ListKeeper({ load: async () => undefined, save }, (error) => troubles.push(error))
  for (const text of ['one', 'two', 'three']) keeper.save(text)
  expect(saved).toEqual(['one'])
  ends[0]?.()
  await expect.poll(() => saved, { timeout: 20_000 }).toEqual(['one', 'three'])
  ends[1]?.()
  await keeper.settled()
  expect(troubles).toMatchObject([{ message: 'no room' }])
})

test('events that are too many for a slow reader give way to one that says so', async () => {
  const events = new EventStream<number | 'missed'>('missed')
  for (let event = 0; event < 1030; event++) events.push(event)
  events.end()
  const seen: (number | 'missed')[] = []
  for await (const event of events) seen.push(event)
  expect(seen).toEqual(['missed', 1024, 1025, 1026, 1027, 1028, 1029])
})
