/** The smallest tar that engines take: ustar headers, regular files and folders. POSIX.1-2001, "ustar Interchange Format". */
export interface Entry {
  readonly name: string
  readonly text?: string
  readonly mode?: number
}

const block = 512
const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, "0") + "\0"

const header = (entry: Entry, size: number) => {
  const bytes = Buffer.alloc(block)
  bytes.write(entry.name, 0)
  bytes.write(octal(entry.mode ?? 0o644, 8), 100)
  bytes.write(octal(0, 8), 108)
  bytes.write(octal(0, 8), 116)
  bytes.write(octal(size, 12), 124)
  bytes.write(octal(1_700_000_000, 12), 136)
  bytes.write("        ", 148)
  bytes.write(entry.name.endsWith("/") ? "5" : "0", 156)
  bytes.write("ustar\u000000", 257)
  bytes.write(
    octal(
      bytes.reduce((sum, byte) => sum + byte, 0),
      7
    ) + " ",
    148
  )
  return bytes
}

export const tar = (entries: ReadonlyArray<Entry>): Buffer =>
  Buffer.concat([
    ...entries.flatMap((entry) => {
      const content = Buffer.from(entry.text ?? "")
      const padding = Buffer.alloc((block - (content.length % block)) % block)
      return [header(entry, content.length), content, padding]
    }),
    Buffer.alloc(2 * block)
  ])

/** Names and contents of regular files, in order. */
export const untar = (bytes: Buffer): Record<string, string> => {
  const files: Record<string, string> = {}
  for (let at = 0; at + block <= bytes.length && bytes[at] !== 0;) {
    const name = bytes
      .subarray(at, at + 100)
      .toString()
      .replace(/\0.*$/s, "")
    const size = Number.parseInt(bytes.subarray(at + 124, at + 136).toString(), 8)
    if (bytes[at + 156] === 48) files[name] = bytes.subarray(at + block, at + block + size).toString()
    at += block + Math.ceil(size / block) * block
  }
  return files
}
