/** Building blocks of binary formats: byte strings joined, little-endian fields, CRC-32. */

/** Text becomes UTF-8; bytes stay. */
export const raw = (value: string | Uint8Array): Uint8Array =>
  typeof value === "string" ? new TextEncoder().encode(value) : value

/** All parts in one buffer. */
export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** Unsigned little-endian fields, each a width in bytes (2 or 4) and a value. */
export const littleEndian = (...fields: ReadonlyArray<readonly [width: 2 | 4, value: number]>): Uint8Array =>
  Uint8Array.from(
    fields.flatMap(([width, value]) => Array.from({ length: width }, (_, at) => Math.floor(value / 2 ** (8 * at))))
  )

/** CRC-32 table of the reflected polynomial 0xEDB88320 (RFC 1952 §8). */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb8_8320 ^ (value >>> 1) : value >>> 1
  return value
})

/** CRC-32 of the bytes followed by `zeros` zero bytes. */
export const crc32 = (bytes: Uint8Array, zeros = 0): number => {
  let crc = 0xffff_ffff
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (shifted(crc, zeros) ^ 0xffff_ffff) >>> 0
}

/** CRC-32 of two byte strings joined, from theirs and the second's length. */
export const crc32Joined = (first: number, second: number, secondLength: number): number =>
  (shifted(first, secondLength) ^ second) >>> 0

/** A zero byte multiplies the register by x^8 modulo the polynomial, so a run of them is one power (zlib's crc32_combine). */
function shifted(crc: number, zeros: number): number {
  let result = crc
  let power = 0x0080_0000 // x^8, most significant coefficient last
  for (let left = zeros; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = multiplied(power, result)
    power = multiplied(power, power)
  }
  return result
}

/** Product of two reflected polynomials modulo 0xEDB88320. */
function multiplied(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= factor
    factor = factor & 1 ? 0xedb8_8320 ^ (factor >>> 1) : factor >>> 1
  }
  return product
}
