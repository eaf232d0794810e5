import type { Fixture } from './fixture.ts'

/** Mistakes around the engine: replica, journal, clients, operators. Any engine would suffer from them. */
export const aroundTheEngine: readonly Fixture[] = [
  {
    name: 'snapshot without sessions',
    rule: "a snapshot carries the session table (Ongaro's dissertation, section 6.3)",
    edits: [
      {
        file: 'replica/snapshot-body.ts',
        find: '  sessions: sessions.encode(),',
        replace: '  sessions: [new ByteWriter(4).u32(0).take()],',
      },
    ],
  },
  {
    name: 'dedup lost at fail-over',
    rule: "replies outlive the leader that gave them (Ongaro's dissertation, section 6.3)",
    edits: [
      {
        file: 'replica/applier.ts',
        find: "    if (decided.type !== 'reign') return\n",
        replace: "    if (decided.type !== 'reign') return\n    this.#sessions.forgetReplies()\n",
      },
      {
        file: 'replica/sessions.ts',
        find: '  get size(): number {',
        replace:
          '  forgetReplies(): void {\n    for (const { replies } of this.#sessions.values()) replies.clear()\n  }\n\n  get size(): number {',
      },
    ],
  },
  {
    name: 'dedup by highest serial only',
    rule: 'a command whose serial is below another that was decided before it is still a new one',
    edits: [
      {
        file: 'replica/sessions.ts',
        find: '    const reply = session.replies.get(serial)\n    if (reply !== undefined) return { status: replyStatus.applied, reply }',
        replace:
          '    const reply = session.replies.get(serial)\n    const passed = serial < Math.max(...session.replies.keys())\n    if (reply !== undefined || passed) return { status: replyStatus.applied, reply: reply ?? nothing }',
      },
    ],
  },
  {
    name: 'a corrupt group ignored',
    rule: 'a journal whose synced data is damaged is refused: its node must not vote',
    edits: [
      {
        file: 'journal-file/recovery.ts',
        find: '  if (segment.beyond === undefined) return',
        replace: '  return',
      },
    ],
  },
  {
    name: 'a wiped node back under its old id',
    rule: 'a member that lost its disk has forgotten its votes: it comes back as another member, or never',
    edits: [],
    hooks: { returnsWithLostDisk: true },
  },
  {
    name: 'a retry under new serials',
    rule: 'a client repeats a command under the serial that it had',
    edits: [],
    hooks: { renumberRetries: true },
  },
  {
    name: 'a disk that drops the syncs of groups',
    rule: 'what was acknowledged is on disk',
    edits: [],
    hooks: { disk: (disk) => disk.faults.skippedSyncs.add('group') },
  },
]
