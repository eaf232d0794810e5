// Prints the digest of the small campaign of raft.spec.ts.
import { campaign } from '@conclave/simulator'
import { raftParts } from './parts.ts'

const { digest } = await campaign({ seeds: [5, 6, 7], parts: raftParts, options: { durationMillis: 600 } })
console.log(digest)
