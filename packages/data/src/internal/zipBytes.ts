/** Zip archives (PKWARE APPNOTE 6.3) byte by byte; local and central headers can be made to disagree. */
import { concat, crc32, littleEndian, raw } from "./binary.ts"

/** One entry; sizes and checksum are the content's unless told. */
export interface ZipEntry {
  readonly name: string | Uint8Array
  /** The whole `st_mode`, type and permission bits; a regular file unless told. */
  readonly mode?: number
  readonly content?: string | Uint8Array
  /** The stored bytes are a DEFLATE stream of this many bytes with this checksum. */
  readonly deflated?: { readonly size: number; readonly crc: number }
  readonly crc?: number
  /** The name in the local header, when it differs. */
  readonly localName?: string
  readonly extra?: Uint8Array
}

/** `st_mode` type bits (inode(7)). */
export const Kind = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000
} as const

/** Local entries one after the other, central directory and its end. */
export const zip = (...entries: ReadonlyArray<ZipEntry>): Uint8Array => {
  const locals = entries.map(local)
  let end = 0
  const offsets = locals.map((bytes) => (end += bytes.length) - bytes.length)
  return withDirectory(
    concat(...locals),
    entries.map((entry, index) => [entry, offsets[index] ?? 0])
  )
}

/** A local header with its content. */
export const local = (entry: ZipEntry): Uint8Array => {
  const name = raw(entry.localName ?? entry.name)
  return concat(littleEndian([4, 0x0403_4b50]), common(entry, name), name, extra(entry), raw(entry.content ?? ""))
}

/** The body, and a central directory that says at which offset of it each entry begins. */
export const withDirectory = (
  body: Uint8Array,
  entries: ReadonlyArray<readonly [entry: ZipEntry, offset: number]>
): Uint8Array => {
  const directory = concat(...entries.map(([entry, offset]) => central(entry, offset)))
  const count = entries.length
  return concat(
    body,
    directory,
    littleEndian([4, 0x0605_4b50], [4, 0], [2, count], [2, count], [4, directory.length], [4, body.length], [2, 0])
  )
}

/** The Info-ZIP Unicode path field (0x7075), which overrides the name (APPNOTE 4.6.9). */
export const unicodePath = (name: string, real: string): Uint8Array =>
  concat(
    littleEndian([2, 0x7075], [2, 5 + raw(real).length]),
    Uint8Array.of(1),
    littleEndian([4, crc32(raw(name))]),
    raw(real)
  )

const extra = (entry: ZipEntry) => entry.extra ?? new Uint8Array()

/** The fields that both headers share, from "version needed" to "extra length" (4.3.7). */
function common(entry: ZipEntry, name: Uint8Array): Uint8Array {
  const content = raw(entry.content ?? "")
  const method = entry.deflated === undefined ? 0 : 8
  const crc = entry.crc ?? entry.deflated?.crc ?? crc32(content)
  const size = entry.deflated?.size ?? content.length
  // Bit 11 declares UTF-8; a name that is not keeps it off. 0x21 is 1980-01-01.
  const utf8 = typeof entry.name === "string" && /[^ -~]/.test(entry.name) ? 0x800 : 0
  return littleEndian(
    [2, 20],
    [2, utf8],
    [2, method],
    [2, 0],
    [2, 0x21],
    [4, crc],
    [4, content.length],
    [4, size],
    [2, name.length],
    [2, extra(entry).length]
  )
}

function central(entry: ZipEntry, at: number): Uint8Array {
  const mode = entry.mode ?? Kind.file + 0o644
  const name = raw(entry.name)
  return concat(
    littleEndian([4, 0x0201_4b50], [2, 3 * 256 + 20]),
    common(entry, name),
    littleEndian([2, 0], [2, 0], [2, 0], [4, mode * 65_536], [4, at]),
    name,
    extra(entry)
  )
}
