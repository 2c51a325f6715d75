/** Tar archives (POSIX ustar, pax and GNU headers) byte by byte, with any field set to what no honest writer would store. */
import { concat, raw } from "./binary.ts"

/** Type flags of the header (pax(1), "ustar Interchange Format"; `L` and `S` are GNU's). */
export const Type = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
  pax: "x",
  longName: "L",
  sparse: "S"
} as const

/** One header and its content; `size` is what the header says, the content's length unless told. */
export interface TarEntry {
  readonly name: string | Uint8Array
  readonly type?: string
  readonly mode?: number
  readonly size?: number
  /** The 12 bytes of the size field, instead of `size` in octal. */
  readonly sizeField?: Uint8Array
  readonly link?: string
  readonly device?: readonly [major: number, minor: number]
  readonly prefix?: string
  readonly content?: string | Uint8Array
  /** Added to the true checksum. */
  readonly checksumError?: number
  /** Bytes written over the header before its checksum is taken. */
  readonly patch?: { readonly at: number; readonly bytes: Uint8Array }
  readonly gnu?: boolean
}

/** The archive with its two closing zero blocks. */
export const tar = (...entries: ReadonlyArray<TarEntry>): Uint8Array =>
  concat(...entries.map(member), new Uint8Array(1024))

/** One header, its content and the padding to 512 bytes. */
export const member = (entry: TarEntry): Uint8Array => {
  const content = raw(entry.content ?? "")
  return concat(header(entry, content.length), content, new Uint8Array(-content.length & 511))
}

/** A pax extended header with these records, for the member after it. */
export const pax = (records: Readonly<Record<string, string | Uint8Array>>): TarEntry => ({
  name: "PaxHeaders/entry",
  type: Type.pax,
  content: concat(...Object.entries(records).map(([key, value]) => record(key, raw(value))))
})

/** A GNU long-name header for the member after it. */
export const longName = (name: string): TarEntry => ({
  name: "././@LongLink",
  type: Type.longName,
  content: `${name}\0`,
  gnu: true
})

/** A number as GNU's base-256: big-endian two's complement, the first bit set (tar manual, "Extensions"). */
export const base256 = (value: bigint): Uint8Array => {
  const bits = BigInt.asUintN(96, value)
  const field = Uint8Array.from({ length: 12 }, (_, at) => Number((bits >> BigInt(8 * (11 - at))) & 0xffn))
  field[0] = (field[0] ?? 0) | 0x80
  return field
}

/** "length key=value\n"; the length counts its own digits. */
function record(key: string, value: Uint8Array): Uint8Array {
  const rest = concat(raw(` ${key}=`), value, raw("\n"))
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return concat(raw(String(length)), rest)
}

function header(entry: TarEntry, length: number): Uint8Array {
  const out = new Uint8Array(512)
  const put = (at: number, value: string | Uint8Array) => out.set(raw(value), at)
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`
  put(0, raw(entry.name).subarray(0, 100))
  put(100, octal(entry.mode ?? (entry.type === Type.directory ? 0o755 : 0o644), 7))
  put(108, octal(0, 7))
  put(116, octal(0, 7))
  put(124, entry.sizeField ?? octal(entry.size ?? length, 11))
  put(136, octal(0, 11))
  put(148, " ".repeat(8))
  put(156, entry.type ?? Type.file)
  put(157, raw(entry.link ?? "").subarray(0, 100))
  put(257, entry.gnu === true ? "ustar  \0" : "ustar\x0000")
  put(329, octal(entry.device?.[0] ?? 0, 7))
  put(337, octal(entry.device?.[1] ?? 0, 7))
  put(345, entry.prefix ?? "")
  if (entry.patch !== undefined) put(entry.patch.at, entry.patch.bytes)
  const sum = out.reduce((total, byte) => total + byte, 0) + (entry.checksumError ?? 0)
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `)
  return out
}
