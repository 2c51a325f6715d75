/** Reads a PNG with Node's own zlib: chunks, checksums, inflated scanlines. Refuses what is not plain truecolour. */
import { assert } from "@effect/vitest"
import * as zlib from "node:zlib"

interface Picture {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/** Type and data of each chunk; every CRC is checked. */
const chunks = (png: Buffer): ReadonlyArray<readonly [string, Buffer]> => {
  const found: Array<readonly [string, Buffer]> = []
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at)
    const typed = png.subarray(at + 4, at + 8 + length)
    assert.strictEqual(png.readUInt32BE(at + 8 + length), zlib.crc32(typed))
    found.push([typed.toString("latin1", 0, 4), typed.subarray(4)])
    at += 12 + length
  }
  return found
}

export const readPng = (bytes: Uint8Array): Picture => {
  const png = Buffer.from(bytes)
  assert.strictEqual(png.toString("latin1", 0, 8), "\u0089PNG\r\n\u001a\n")
  const parts = chunks(png)
  assert.deepStrictEqual(
    parts.map(([type]) => type),
    ["IHDR", "IDAT", "IEND"]
  )
  const [header, data] = [parts[0]?.[1] ?? assert.fail(), parts[1]?.[1] ?? assert.fail()]
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  assert.deepStrictEqual([...header.subarray(8)], [8, 2, 0, 0, 0])
  // inflateSync checks the Adler-32 at the end.
  const raw = zlib.inflateSync(data)
  assert.strictEqual(raw.length, height * (1 + width * 3))
  const rows = Array.from({ length: height }, (_, y) => raw.subarray(y * (1 + width * 3), (y + 1) * (1 + width * 3)))
  assert.isTrue(rows.every((row) => row[0] === 0))
  return { width, height, pixels: new Uint8Array(Buffer.concat(rows.map((row) => row.subarray(1)))) }
}
