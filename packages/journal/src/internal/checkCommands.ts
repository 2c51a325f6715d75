/** Checks the command ids of one commit against its events: where they point and, recomputed, what they stand for. */
import type { StreamName } from "../Journal.ts"
import { appendDigest, requestDigest } from "./commandDigest.ts"
import type { CommandRow, Row } from "./storage.ts"

/** Reports what does not hold; answers how many commands the commit has. */
export const checkCommands = (
  find: (stream: StreamName, commandId: string) => CommandRow | undefined,
  rows: ReadonlyArray<Row>,
  report: (fact: string, stream: string) => void
): number => {
  const appends = new Map<string, Array<Row>>()
  for (const row of rows) {
    if (row.commandId === undefined) continue
    const key = `${row.stream} ${row.commandId}`
    const known = appends.get(key)
    if (known === undefined) appends.set(key, [row])
    else known.push(row)
  }
  const together = new Map<string, Array<{ readonly stream: string; readonly digest: string }>>()
  for (const events of appends.values()) {
    const [first] = events
    const last = events.at(-1)
    if (first?.commandId === undefined || last === undefined) continue
    const command = find(first.stream, first.commandId)
    if (command === undefined || !pointsAt(command, first, last)) {
      report(`command ${first.commandId} does not point at its events`, first.stream)
      continue
    }
    const digest = appendDigest(events, last.closes)
    if (digest === command.digest) continue
    const items = together.get(command.digest) ?? []
    items.push({ stream: first.stream, digest })
    together.set(command.digest, items)
  }
  for (const [digest, items] of together) {
    if (requestDigest(items) !== digest) report("a command id stands for other events", items[0]?.stream ?? "")
  }
  return appends.size
}

const pointsAt = (command: CommandRow, first: Row, last: Row): boolean =>
  command.first === first.position && command.last === last.position && command.version === last.version
