import { httpProbe, type Probe, tcpProbe } from '@conclave/proxy/health'
import { CommandFailed, exitCodes } from '../exit.ts'

/**
 * What `--health` asks for: `tcp` connects to the address of the instance; an URL of http or https is to be answered with 200 to 399.
 * @param address is one.
 * @throws CommandFailed (2)
 */
export const probeOf = (text: string, address: string): Probe => {
  if (text === 'tcp') return tcpProbe(address)
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return httpProbe(new URL(text))
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-health',
    `--health ${text} is no check`,
    `Write tcp, which connects to the address, or an URL such as http://${address}/health.`,
  )
}
