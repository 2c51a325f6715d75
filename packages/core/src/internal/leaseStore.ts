/** The table of leased uids, shared by all processes of the machine. An adapter over node:sqlite; every call is one transaction. */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"

export interface LeaseRow {
  readonly uid: number
  readonly sandbox: string
  /** Label of the owner. */
  readonly owner: string
}

/** Uids no distribution gives to people or services, and the range that images carry passwd entries for. */
export const firstUid = 100_000
export const lastUid = 165_535

export interface LeaseStore {
  /** The next free uid in turn, so that a uid rests as long as possible; absent when all are taken. */
  readonly take: (engine: string, sandbox: string, owner: string) => number | undefined
  /** Absent is success. */
  readonly give: (engine: string, uid: number, sandbox: string) => void
  readonly rows: (engine: string) => ReadonlyArray<LeaseRow>
  /** Boot ids of this machine in which a uid was ever taken. */
  readonly boots: () => ReadonlyArray<string>
  readonly close: () => void
}

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS lease (
    engine TEXT NOT NULL, uid INTEGER NOT NULL, sandbox TEXT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (engine, uid)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS turn (engine TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS boot (id TEXT PRIMARY KEY) STRICT;
`

/** Throws what node:sqlite throws. Waits up to 5 s for another process's transaction. */
export const open = (file: string): LeaseStore => {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const database = new DatabaseSync(file, { timeout: 5000 })
  database.exec(schema)
  const select = database.prepare("SELECT uid, sandbox, owner FROM lease WHERE engine = ? ORDER BY uid")
  const rows = (engine: string) =>
    select.all(engine).map(({ uid, sandbox, owner }) => ({
      uid: Number(uid),
      sandbox: String(sandbox),
      owner: String(owner)
    }))
  const turn = database.prepare("SELECT next FROM turn WHERE engine = ?")
  const setTurn = database.prepare("INSERT OR REPLACE INTO turn (engine, next) VALUES (?, ?)")
  const insert = database.prepare("INSERT INTO lease (engine, uid, sandbox, owner) VALUES (?, ?, ?, ?)")
  const insertBoot = database.prepare("INSERT OR IGNORE INTO boot (id) VALUES (?)")
  const selectBoots = database.prepare("SELECT id FROM boot")
  const remove = database.prepare("DELETE FROM lease WHERE engine = ? AND uid = ? AND sandbox = ?")
  const transaction = <A>(body: () => A): A => {
    database.exec("BEGIN IMMEDIATE")
    try {
      const result = body()
      database.exec("COMMIT")
      return result
    } catch (error) {
      database.exec("ROLLBACK")
      throw error
    }
  }
  return {
    take: (engine, sandbox, owner) =>
      transaction(() => {
        const taken = new Set(rows(engine).map((row) => row.uid))
        const next = Number(turn.get(engine)?.["next"] ?? firstUid)
        const uid = freeFrom(next, taken)
        if (uid === undefined) return undefined
        insert.run(engine, uid, sandbox, owner)
        // A label begins with its boot.
        insertBoot.run(owner.slice(0, owner.indexOf("/")))
        setTurn.run(engine, uid === lastUid ? firstUid : uid + 1)
        return uid
      }),
    give: (engine, uid, sandbox) => transaction(() => void remove.run(engine, uid, sandbox)),
    rows,
    boots: () => selectBoots.all().map(({ id }) => String(id)),
    close: () => database.close()
  }
}

const freeFrom = (next: number, taken: ReadonlySet<number>): number | undefined => {
  const count = lastUid - firstUid + 1
  for (let step = 0; step < count; step += 1) {
    const uid = firstUid + ((next - firstUid + step) % count)
    if (!taken.has(uid)) return uid
  }
  return undefined
}
