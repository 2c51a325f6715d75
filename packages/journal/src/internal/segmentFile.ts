/** Adapter (node:fs): a segment is one JSON line an event, in order of position, payloads as their exact text. */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import type { Row } from "./storage.ts"

/** Relative to the journal's directory, so that both can be moved together. */
export const segmentName = (journal: string, id: number): string =>
  path.join(`${path.basename(journal)}.segments`, `${String(id).padStart(6, "0")}.ndjson`)

export const segmentPath = (journal: string, name: string): string => path.join(path.dirname(journal), name)

const chunkSize = 1 << 20

/** Writes under another name, syncs, renames, syncs the directory: the name never stands for a part. Gives the SHA-256. */
export const writeSegment = (
  file: string,
  rows: Iterable<Row>
): { readonly sha256: string; readonly events: number } => {
  const directory = path.dirname(file)
  fs.mkdirSync(directory, { recursive: true })
  const hash = createHash("sha256")
  const part = `${file}.part`
  const descriptor = fs.openSync(part, "w")
  let events = 0
  try {
    let chunk = ""
    const flush = () => {
      hash.update(chunk)
      fs.writeFileSync(descriptor, chunk)
      chunk = ""
    }
    for (const row of rows) {
      chunk += `${JSON.stringify(row)}\n`
      events++
      if (chunk.length >= chunkSize) flush()
    }
    flush()
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
  fs.renameSync(part, file)
  const parent = fs.openSync(directory, "r")
  try {
    fs.fsyncSync(parent)
  } finally {
    fs.closeSync(parent)
  }
  return { sha256: hash.digest("hex"), events }
}

/** Gives every line to `take` and the SHA-256 of the whole at the end; undefined when there is no such file. */
export const readSegment = (file: string, take: (line: string) => void): string | undefined => {
  if (!fs.existsSync(file)) return undefined
  const hash = createHash("sha256")
  const descriptor = fs.openSync(file, "r")
  try {
    const buffer = Buffer.alloc(chunkSize)
    let rest = Buffer.alloc(0)
    for (;;) {
      const size = fs.readSync(descriptor, buffer)
      if (size === 0) break
      hash.update(buffer.subarray(0, size))
      rest = takeLines(Buffer.concat([rest, buffer.subarray(0, size)]), take)
    }
    if (rest.length > 0) take(rest.toString())
  } finally {
    fs.closeSync(descriptor)
  }
  return hash.digest("hex")
}

/** The bytes after the last line end. */
const takeLines = (bytes: Buffer<ArrayBuffer>, take: (line: string) => void): Buffer<ArrayBuffer> => {
  let from = 0
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
    take(bytes.toString("utf8", from, end))
    from = end + 1
  }
  return bytes.subarray(from)
}
