// An adapter: reads the lease table of `@sbx/core/UidLease` as the file that it is.
/** Which engines have something in the state folder of this machine, where no engine can be asked. Creates nothing. */
import { existsSync, readdirSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import * as StateRoot from "@sbx/engine/StateRoot"
import * as Effect from "effect/Effect"

const leasingEngines = (file: string): ReadonlyArray<string> => {
  if (!existsSync(file)) return []
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    const table = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'lease'").get()
    if (table === undefined) return []
    return database
      .prepare("SELECT DISTINCT engine FROM lease")
      .all()
      .map(({ engine }) => String(engine))
  } finally {
    database.close()
  }
}

/** As `@sbx/core/Workspace` names an engine's folder. */
const folderOf = (id: string): string => id.replace(/[^A-Za-z0-9]+/g, "-")

/** Ids of engines with leases or workspace images here. An engine without leases is known by its folder's name. */
export const strayEngines = Effect.gen(function* () {
  // Only named: the service `StateDir` would make it.
  const path = yield* StateRoot.config
  return yield* Effect.sync(() => {
    const leasing = leasingEngines(`${path}/leases.sqlite`)
    const volumes = `${path}/volumes`
    const entries = existsSync(volumes) ? readdirSync(volumes, { withFileTypes: true }) : []
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    const known = new Set(leasing.map(folderOf))
    return [...leasing, ...folders.filter((folder) => !known.has(folder))]
  })
})
