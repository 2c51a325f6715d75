/**
 * Adapter (node:fs, node:sqlite): gives the write-ahead log its full length before the first append. A commit that makes the file
 * longer has to wait for the file system's own journal, and with it for everybody else who writes there; one that overwrites does
 * not, and is made durable in half the time. Best effort: a disk without room for it works as before.
 */
import * as fs from "node:fs"
import type { DatabaseSync } from "node:sqlite"

/** Pages after which SQLite copies the log into the database and begins it anew. */
export const checkpointPages = 1000

const headerBytes = 32
const frameHeaderBytes = 24

/**
 * Zeros after the last frame are what a reader takes for the end of the log. They are written under SQLite's write lock, so that no
 * frame of another connection can come in between. Written, not only reserved: the first use of reserved blocks is journalled too.
 */
export const presizeWal = (db: DatabaseSync, path: string): void => {
  const pageBytes = Number(db.prepare("PRAGMA page_size").get()?.["page_size"])
  const wanted = headerBytes + checkpointPages * (frameHeaderBytes + pageBytes)
  db.exec("BEGIN IMMEDIATE")
  try {
    lengthen(`${path}-wal`, wanted)
  } finally {
    db.exec("ROLLBACK")
  }
}

const lengthen = (file: string, wanted: number): void => {
  const descriptor = fs.openSync(file, "r+")
  const { size } = fs.fstatSync(descriptor)
  try {
    for (let end = size; end < wanted;)
      end += fs.writeSync(descriptor, Buffer.alloc(wanted - end), 0, wanted - end, end)
    fs.fdatasyncSync(descriptor)
  } catch {
    // No room, or an I/O error, which the first append will meet again and tell.
    fs.ftruncateSync(descriptor, size)
  } finally {
    fs.closeSync(descriptor)
  }
}
