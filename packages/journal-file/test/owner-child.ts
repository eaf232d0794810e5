/** Opens the journal in argv[2], says so, and holds it until it is killed or its standard input ends. */
import { fileJournal } from '../src/index.ts'

try {
  const journal = fileJournal({ directory: process.argv[2] ?? '', segmentBytes: 4096 })
  await journal.open({ disk: () => {} })
  console.log(`open ${process.pid}`)
  process.stdin.on('end', () => void journal.close().then(() => process.exit(0)))
  process.stdin.resume()
} catch (error) {
  console.log(error instanceof Error ? `${error.name} ${error.message}` : String(error))
  process.exit(1)
}
