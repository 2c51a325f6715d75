/**
 * Small files of this machine's kernel (/proc, cgroup): an adapter of synchronous reads, 10-20 µs each and 2 µs through a descriptor,
 * since they never wait for a disk. Nothing throws: what cannot be read answers with errno's name. Tests give recorded texts in its place.
 */
import * as fs from "node:fs"

/** Why something could not be read, e.g. `ENOENT`, `EACCES`. */
export interface Unreadable {
  readonly code: string
}

/** An open file. */
export interface Descriptor {
  /** All of it, from its beginning. */
  readonly read: () => string | Unreadable
  readonly close: () => void
}

export interface HostFiles {
  /** One of short lines (below 2 KiB each). */
  readonly read: (path: string) => string | Unreadable
  /** As `read`, of a file that will be read often; who opens it closes it. */
  readonly open: (path: string) => Descriptor | Unreadable
  /** One of any lines, at the cost of one more system call. */
  readonly readAll: (path: string) => string | Unreadable
  /** `links` of a directory is 2 more than the directories in it, on file systems that count (cgroup, tmpfs, ext4). */
  readonly stat: (path: string) => { readonly size: number; readonly links: number } | Unreadable
  readonly list: (path: string) => { readonly names: ReadonlyArray<string> } | Unreadable
  /** Of the file system at `path`, as df(1) counts. */
  readonly usage: (path: string) => { readonly usedBytes: number; readonly totalBytes: number } | Unreadable
}

export const isUnreadable = (found: object | string): found is Unreadable =>
  typeof found === "object" && "code" in found

const codeOf = (error: unknown): Unreadable => ({
  code: error instanceof Error && "code" in error ? String(error.code) : "EIO"
})

const buffer = Buffer.allocUnsafe(64 * 1024)

const attempt = <A>(run: () => A): A | Unreadable => {
  try {
    return run()
  } catch (error) {
    return codeOf(error)
  }
}

/**
 * One or more reads into a buffer that is kept; half the cost of `readFileSync`. The kernel (seq_file) fills a page of 4 KiB unless the
 * next line does not fit: a read of less than `endBytes` was the last where lines are short. It writes the text anew at position 0.
 */
const readFrom = (file: number, endBytes: number): string => {
  let text = ""
  for (let position = 0; ;) {
    const length = fs.readSync(file, buffer, 0, buffer.length, position)
    text += buffer.toString("utf8", 0, length)
    if (length < endBytes) return text
    position += length
  }
}

const readFile = (path: string, endBytes: number): string | Unreadable =>
  attempt(() => {
    const file = fs.openSync(path, "r")
    try {
      return readFrom(file, endBytes)
    } finally {
      fs.closeSync(file)
    }
  })

/** Below this a read of a file of short lines was its last. */
const shortEndBytes = 2048

/** This machine's. */
export const hostFiles: HostFiles = {
  read: (path) => readFile(path, shortEndBytes),
  open: (path) =>
    attempt(() => {
      const file = fs.openSync(path, "r")
      return { read: () => attempt(() => readFrom(file, shortEndBytes)), close: () => fs.closeSync(file) }
    }),
  readAll: (path) => readFile(path, 1),
  stat: (path) =>
    attempt(() => {
      const { nlink, size } = fs.statSync(path)
      return { size, links: nlink }
    }),
  list: (path) => attempt(() => ({ names: fs.readdirSync(path) })),
  usage: (path) =>
    attempt(() => {
      const { bfree, blocks, bsize } = fs.statfsSync(path)
      return { usedBytes: (blocks - bfree) * bsize, totalBytes: blocks * bsize }
    })
}
