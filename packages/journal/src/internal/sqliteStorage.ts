/** Adapter (node:sqlite): opens a journal file for writing or reading and keeps its connection. */
import { Clock, Effect } from "effect"
import { DatabaseSync } from "node:sqlite"
import { JournalUnavailable } from "../Journal.ts"
import { journalClosed } from "./hub.ts"
import { makeJournalId } from "./journalId.ts"
import { attempt, unavailable } from "./sqliteError.ts"
import { thisProcess } from "./sqliteFile.ts"
import { prepareReads, readStorage } from "./sqliteReads.ts"
import { checkpointPages, presizeWal } from "./sqliteWal.ts"
import type { Meta } from "./sqliteTables.ts"
import { createTables, formatVersion, migrate, readMeta } from "./sqliteTables.ts"
import type { Connection, Progress } from "./sqliteWrites.ts"
import { prepareWrites, runCommit } from "./sqliteWrites.ts"
import type { ReadStorage, Storage } from "./storage.ts"

/** How long a reader waits while another process recovers or resets the WAL. */
const readerPatienceMillis = 2000

/** A file whose tables are of a later version than ours. */
export interface NewerFormat {
  readonly found: number
  readonly supported: number
}

const newer = (format: number): NewerFormat => ({ found: format, supported: formatVersion })

/** Opens or creates the file and starts a new epoch. The caller holds the ownership. */
export const openWriter = Effect.fnUntraced(function* (path: string, identity?: Identity) {
  const now = yield* Clock.currentTimeMillis
  const self = identity ?? { id: yield* makeJournalId, createdAtMillis: now }
  const box = yield* Effect.acquireRelease(
    attempt("open", path, () => openBox(path, self, now)),
    (opened) => Effect.flatMap(Clock.currentTimeMillis, (at) => closeBox(opened, at))
  )
  return "found" in box ? box : makeStorage(box)
})

/** The writer's connection; undefined after a commit of unknown outcome, until the next use opens a fresh one. */
interface Box {
  readonly path: string
  readonly meta: Meta
  readonly epoch: number
  connection: Connection | undefined
  closed: boolean
}

interface Identity {
  readonly id: string
  readonly createdAtMillis: number
}

/** Looks at the format before the first pragma: even switching the journal mode would write to a file not ours. */
const openBox = (path: string, self: Identity, now: number): Box | NewerFormat => {
  const db = new DatabaseSync(path)
  try {
    const meta = readMeta(db, path)
    if (meta !== undefined && meta.format > formatVersion) {
      db.close()
      return newer(meta.format)
    }
    configure(db)
    const known = meta === undefined ? createTables(db, self.id, self.createdAtMillis) : migrate(db, meta)
    const epoch = startEpoch(db, now)
    presizeWal(db, path)
    return { path, meta: known, epoch, connection: connect(db), closed: false }
  } catch (cause) {
    if (db.isOpen) db.close()
    throw cause
  }
}

// FULL syncs the WAL at every commit: an acknowledged event survives a power cut. Group commit pays for it.
export const configure = (db: DatabaseSync): void => {
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${checkpointPages};
     PRAGMA cache_size = -65536`
  )
}

const connect = (db: DatabaseSync): Connection => ({
  db,
  reads: prepareReads(db),
  writes: prepareWrites(db),
  heads: new Map()
})

/** Every opening is named in the events it writes: a later owner can tell them from a predecessor's, or from imported ones. */
const startEpoch = (db: DatabaseSync, now: number): number => {
  const { host, pid, bootId } = thisProcess()
  const insert = `INSERT INTO writers (epoch, host, pid, boot_id, started_at) VALUES (
    1 + max(coalesce((SELECT max(epoch) FROM writers), 0), coalesce((SELECT max(epoch) FROM commits), 0)), ?, ?, ?, ?)`
  return Number(db.prepare(insert).run(host, pid, bootId, now).lastInsertRowid)
}

const use = (box: Box): Connection => {
  if (box.closed) throw journalClosed("use")
  if (box.connection === undefined) {
    const db = new DatabaseSync(box.path)
    configure(db)
    box.connection = connect(db)
  }
  return box.connection
}

const makeStorage = (box: Box): Storage => ({
  ...readStorage(box.meta, box.epoch, box.path, () => use(box).reads),
  // Needs no `needs`: a lookup is a function call.
  commit: (_needs, decide) =>
    Effect.suspend(() => {
      const progress: Progress = { committing: false }
      try {
        runCommit(use(box), decide, progress)
        return Effect.void
      } catch (cause) {
        abandon(box)
        return unavailable("append to", box.path, cause, progress.committing ? "CommitFailed" : "Failed")
      }
    })
})

/** Closing rolls back what is open; a fresh connection is the only one whose view of the file is certain. */
const abandon = (box: Box): void => {
  const db = box.connection?.db
  box.connection = undefined
  try {
    db?.close()
  } catch {
    // The error that brought us here says more than one of closing.
  }
}

const closeBox = (box: Box | NewerFormat, now: number) =>
  Effect.sync(() => {
    if ("found" in box) return
    try {
      use(box).db.prepare("UPDATE writers SET ended_at = ? WHERE epoch = ?").run(now, box.epoch)
    } catch {
      // A full disk must not keep the scope from closing; an epoch without an end reads as a crash.
    }
    abandon(box)
    box.closed = true
  })

/** A read-only view of a file that another process may be writing; `version` changes when somebody else commits. */
export interface Reader {
  readonly storage: ReadStorage
  readonly version: Effect.Effect<number, JournalUnavailable>
}

export const openReader = (path: string) =>
  Effect.acquireRelease(
    attempt("open", path, () => openReadOnly(path)),
    (opened) => Effect.sync(() => opened.db.close())
  ).pipe(Effect.flatMap(({ db, meta }) => attempt("open", path, () => makeReader(path, db, meta))))

export const openReadOnly = (path: string) => {
  const db = new DatabaseSync(path, { readOnly: true, timeout: readerPatienceMillis })
  try {
    return { db, meta: readMeta(db, path) }
  } catch (cause) {
    db.close()
    throw cause
  }
}

const emptyFile = (path: string) =>
  new JournalUnavailable({ operation: "open", reason: "NotAJournal", detail: "the file is empty", path })

const makeReader = (path: string, db: DatabaseSync, meta: Meta | undefined): Reader | NewerFormat => {
  if (meta === undefined) throw emptyFile(path)
  if (meta.format > formatVersion) return newer(meta.format)
  const reads = prepareReads(db)
  const version = db.prepare("PRAGMA data_version")
  const epoch = Number(db.prepare("SELECT max(epoch) AS epoch FROM writers").get()?.["epoch"])
  const opened = () => {
    if (!db.isOpen) throw journalClosed("read")
    return reads
  }
  return {
    storage: readStorage(meta, epoch, path, opened),
    version: attempt("read", path, () => {
      opened()
      return Number(version.get()?.["data_version"])
    })
  }
}

/** The newest epoch's process, to name who holds the lock; empty when the file does not tell (yet). */
export const readHolder = (path: string) =>
  attempt("open", path, () => {
    const { db } = openReadOnly(path)
    try {
      const row = db.prepare("SELECT host, pid, started_at FROM writers ORDER BY epoch DESC LIMIT 1").get()
      if (row === undefined) return {}
      return {
        holder: { host: String(row["host"]), pid: Number(row["pid"]), startedAtMillis: Number(row["started_at"]) }
      }
    } finally {
      db.close()
    }
  }).pipe(Effect.orElseSucceed(() => ({})))
