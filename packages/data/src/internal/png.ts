/**
 * A PNG of RGB bytes: IHDR, one IDAT, IEND (ISO/IEC 15948), the image data in stored deflate blocks (RFC 1951 §3.2.4)
 * inside a zlib stream (RFC 1950). No compression, so the bytes depend on nothing but the pixels.
 */
const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
/** Longest stored block: its length is 16 bits. */
const maxBlock = 0xffff
const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb8_8320 ^ (c >>> 1) : c >>> 1
  return c
})

/** `pixels` holds width × height × 3 bytes, row by row. */
export const encodePng = (width: number, height: number, pixels: Uint8Array): Uint8Array => {
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  // Bit depth 8, colour type 2 (truecolour); compression, filter and interlace methods 0.
  header.set([8, 2], 8)
  const chunks = [
    chunk("IHDR", header),
    chunk("IDAT", zlib(scanlines(width, height, pixels))),
    chunk("IEND", new Uint8Array())
  ]
  return join([signature, ...chunks])
}

/** Each row preceded by its filter type, 0 for none. */
function scanlines(width: number, height: number, pixels: Uint8Array): Uint8Array {
  const row = width * 3
  const out = new Uint8Array((row + 1) * height)
  for (let y = 0; y < height; y++) out.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1)
  return out
}

function zlib(data: Uint8Array): Uint8Array {
  // 0x78 0x01: deflate, 32 KiB window, fastest; the pair is a multiple of 31.
  const parts: Array<Uint8Array> = [Uint8Array.of(0x78, 0x01)]
  for (let at = 0; at < data.length; at += maxBlock) {
    const block = data.subarray(at, at + maxBlock)
    const last = at + maxBlock >= data.length ? 1 : 0
    const length = block.length
    parts.push(Uint8Array.of(last, length, length >>> 8, ~length, ~length >>> 8), block)
  }
  return join([...parts, uint32(adler32(data))])
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const typed = join([new TextEncoder().encode(type), data])
  return join([uint32(data.length), typed, uint32(crc32(typed))])
}

function crc32(bytes: Uint8Array): number {
  let c = 0xffff_ffff
  for (const byte of bytes) c = (crcTable[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8)
  return ~c >>> 0
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0]
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return b * 65_536 + a
}

function uint32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value)
  return out
}

function join(parts: ReadonlyArray<Uint8Array>): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
