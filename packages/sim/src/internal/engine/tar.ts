/**
 * Tar, as far as engines send and take it: ustar (POSIX.1-2001), long names by pax headers (`path`, `linkpath`). Nothing else is
 * understood; a header whose checksum is wrong makes the archive malformed.
 */
import type { FileNode } from "./fileTree.ts"
import { node, noBytes } from "./fileTree.ts"

export interface TarEntry {
  readonly name: string
  readonly node: FileNode
}

const block = 512
const nameWidth = 100
const typeOf: Record<FileNode["kind"], string> = { file: "0", symlink: "2", directory: "5", other: "6" }
const kindOf: Readonly<Record<string, FileNode["kind"]>> = {
  "0": "file",
  "\0": "file",
  "2": "symlink",
  "5": "directory"
}

const octal = (value: number, width: number) =>
  `${Math.floor(value)
    .toString(8)
    .padStart(width - 1, "0")}\0`

const checksum = (bytes: Uint8Array) =>
  bytes.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 32 : byte), 0)

const header = (name: string, type: string, size: number, of: FileNode) => {
  const bytes = Buffer.alloc(block)
  bytes.write(name.slice(0, nameWidth), 0)
  bytes.write(octal(of.mode, 8), 100)
  bytes.write(octal(of.uid, 8), 108)
  bytes.write(octal(of.gid, 8), 116)
  bytes.write(octal(size, 12), 124)
  bytes.write(octal(of.modifiedAtMillis / 1000, 12), 136)
  bytes.write(type, 156)
  bytes.write(of.linkTarget.slice(0, nameWidth), 157)
  bytes.write("ustar\u000000", 257)
  bytes.write(`${octal(checksum(bytes), 7)} `, 148)
  return bytes
}

const padded = (content: Uint8Array) =>
  Buffer.concat([content, Buffer.alloc((block - (content.length % block)) % block)])

/** `<length> <key>=<value>\n`, where the length counts itself. */
const paxRecord = (key: string, value: string) => {
  const rest = ` ${key}=${value}\n`
  const size = Buffer.byteLength(rest)
  const digits = String(size + String(size).length).length
  return `${size + digits}${rest}`
}

const pax = (entry: TarEntry) => {
  const long = (text: string) => Buffer.byteLength(text) > nameWidth
  const records =
    (long(entry.name) ? paxRecord("path", entry.name) : "") +
    (long(entry.node.linkTarget) ? paxRecord("linkpath", entry.node.linkTarget) : "")
  if (records === "") return []
  const content = Buffer.from(records)
  return [header("PaxHeader", "x", content.length, node("file")), padded(content)]
}

/** The blocks of an archive, the closing ones included. */
export const write = (entries: ReadonlyArray<TarEntry>): ReadonlyArray<Buffer> => [
  ...entries.flatMap((entry) => {
    const content = entry.node.kind === "file" ? entry.node.bytes : noBytes
    return [...pax(entry), header(entry.name, typeOf[entry.node.kind], content.length, entry.node), padded(content)]
  }),
  Buffer.alloc(2 * block)
]

const textAt = (bytes: Buffer, from: number, width: number) => {
  const field = bytes.subarray(from, from + width)
  const end = field.indexOf(0)
  return field.subarray(0, end < 0 ? width : end).toString()
}
const numberAt = (bytes: Buffer, from: number, width: number) =>
  Number.parseInt(textAt(bytes, from, width).trim() || "0", 8)

const readPax = (content: Buffer) => {
  const fields: Record<string, string> = {}
  for (let at = 0; at < content.length;) {
    const size = Number.parseInt(content.subarray(at).toString("latin1"), 10)
    if (!(size > 0)) break
    const record = content.subarray(at, at + size - 1).toString()
    const [, key = "", value = ""] = /^\d+ ([^=]*)=(.*)$/s.exec(record) ?? []
    fields[key] = value
    at += size
  }
  return fields
}

/** Undefined for what is no tar. */
export const read = (archive: Uint8Array): ReadonlyArray<TarEntry> | undefined => {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength)
  const entries: Array<TarEntry> = []
  let extended: Record<string, string> = {}
  for (let at = 0; at + block <= bytes.length && bytes[at] !== 0;) {
    const head = bytes.subarray(at, at + block)
    if (numberAt(head, 148, 8) !== checksum(head)) return undefined
    const size = numberAt(head, 124, 12)
    const content = bytes.subarray(at + block, at + block + size)
    if (content.length < size) return undefined
    at += block + Math.ceil(size / block) * block
    const type = textAt(head, 156, 1)
    if (type === "x" || type === "g") {
      if (type === "x") extended = readPax(content)
      continue
    }
    const prefix = textAt(head, 345, 155)
    const short = textAt(head, 0, nameWidth)
    entries.push({
      name: extended["path"] ?? (prefix === "" ? short : `${prefix}/${short}`),
      node: node(kindOf[type === "" ? "0" : type] ?? "other", {
        mode: numberAt(head, 100, 8) % 0o10000,
        uid: numberAt(head, 108, 8),
        gid: numberAt(head, 116, 8),
        modifiedAtMillis: numberAt(head, 136, 12) * 1000,
        bytes: type === "0" || type === "" ? Uint8Array.from(content) : noBytes,
        linkTarget: extended["linkpath"] ?? textAt(head, 157, nameWidth)
      })
    })
    extended = {}
  }
  return entries
}
