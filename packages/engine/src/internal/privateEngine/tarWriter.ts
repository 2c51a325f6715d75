/** Writes small, deterministic ustar archives (POSIX.1-1988): owner 0:0, time 0, the given order. Refuses what ustar cannot hold. */

export type TarEntry =
  | { readonly type: "directory"; readonly path: string; readonly mode: number }
  | { readonly type: "file"; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly type: "symlink"; readonly path: string; readonly target: string }

const block = 512
const encoder = new TextEncoder()
const flags = { file: "0", symlink: "2", directory: "5" }

const put = (header: Uint8Array, offset: number, length: number, text: string): void => {
  const bytes = encoder.encode(text)
  if (bytes.length > length) throw new RangeError(`"${text}" has more than ${length} bytes`)
  header.set(bytes, offset)
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0")

const header = (entry: TarEntry): Uint8Array => {
  const bytes = new Uint8Array(block)
  const path = entry.path.replace(/^\/+/, "") + (entry.type === "directory" ? "/" : "")
  put(bytes, 0, 100, path)
  put(bytes, 100, 8, `${octal(entry.type === "symlink" ? 0o777 : entry.mode, 7)}\0`)
  put(bytes, 108, 8, `${octal(0, 7)}\0`)
  put(bytes, 116, 8, `${octal(0, 7)}\0`)
  put(bytes, 124, 12, `${octal(entry.type === "file" ? entry.content.length : 0, 11)}\0`)
  put(bytes, 136, 12, `${octal(0, 11)}\0`)
  put(bytes, 148, 8, " ".repeat(8))
  put(bytes, 156, 1, flags[entry.type])
  if (entry.type === "symlink") put(bytes, 157, 100, entry.target)
  put(bytes, 257, 8, "ustar\u000000")
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  put(bytes, 148, 8, `${octal(sum, 6)}\0 `)
  return bytes
}

/** The whole archive, in memory. Throws `RangeError` for a name over 100 bytes: the caller chooses its names. */
export const writeTar = (entries: ReadonlyArray<TarEntry>): Uint8Array<ArrayBuffer> => {
  const parts = entries.flatMap((entry) => {
    if (entry.type !== "file") return [header(entry)]
    const padding = new Uint8Array((block - (entry.content.length % block)) % block)
    return [header(entry), entry.content, padding]
  })
  return Uint8Array.from(Buffer.concat([...parts, new Uint8Array(2 * block)]))
}
