import { followService, type ServiceInstance, type ServiceList } from '@conclave/client/recipes'
import { fixedInstances, type InstanceSource, type ProxyInstance } from '@conclave/proxy'
import { openLazyClient } from '../client.ts'
import { pathOf } from '../locks/name.ts'
import { invalidText } from '../services/instance-view.ts'
import type { ProxyNews } from './news.ts'

interface SourceFlags {
  readonly endpoints?: readonly string[] | undefined
  readonly data?: string | undefined
  readonly identity?: string | undefined
  readonly timeout: number
  readonly registry: string
  readonly service?: string | undefined
  readonly instances?: readonly string[] | undefined
  readonly state?: string | undefined
}

export interface OpenSource extends AsyncDisposable {
  readonly source: InstanceSource
}

/** Where the instances come from. @throws CommandFailed, RangeError */
export const openSource = async (flags: SourceFlags, news: ProxyNews): Promise<OpenSource> => {
  if (flags.service === undefined)
    return { source: fixedInstances(flags.instances ?? []), [Symbol.asyncDispose]: async () => {} }
  const client = await openLazyClient(flags)
  try {
    const follower = followService(client, flags.service, {
      path: pathOf(flags.registry),
      ...(flags.state === undefined ? {} : { file: flags.state }),
      onInvalid: (invalid) => news.trouble(new Error(invalidText(invalid))),
      onTrouble: (error) => news.trouble(error),
    })
    return {
      source: { [Symbol.asyncIterator]: () => healthy(follower, news) },
      [Symbol.asyncDispose]: async () => {
        await follower.close()
        await client.close()
      },
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

async function* healthy(
  lists: AsyncIterable<ServiceList>,
  news: ProxyNews,
): AsyncGenerator<readonly ProxyInstance[], void> {
  for await (const list of lists) {
    news.list(list)
    yield list.instances.filter(({ health }) => health === 'passing').map(proxyInstance)
  }
}

const proxyInstance = ({ id, address, weight, zone }: ServiceInstance): ProxyInstance => ({
  id,
  address,
  weight,
  ...(zone === undefined ? {} : { locality: zone }),
})
