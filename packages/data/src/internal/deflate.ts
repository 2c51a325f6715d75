/**
 * DEFLATE streams (RFC 1951) of few kinds of block, written by hand since this package depends on no compressor: bytes stored as they
 * are, and a run of zeros at the format's limit of 1032 to 1.
 */
import { concat, littleEndian, raw } from "./binary.ts"

/** The bytes, then `zeros` zero bytes (at least 1 when the run is wanted), then `tail`, as one stream. */
export const deflate = (head: Uint8Array, zeros: number, tail: Uint8Array = new Uint8Array()): Uint8Array =>
  concat(...stored(head, false), zeros > 0 ? zeroRun(zeros) : new Uint8Array(), ...stored(tail, true))

/** RFC 1952 around the stream; `crc` and `length` are those of the expanded bytes. */
export const gzip = (stream: Uint8Array, crc: number, length: number): Uint8Array =>
  concat(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255), stream, littleEndian([4, crc], [4, length % 2 ** 32]))

/** Stored blocks (§3.2.4) hold up to 65,535 bytes; an empty last one ends the stream. */
function stored(bytes: Uint8Array, last: boolean): Array<Uint8Array> {
  const blocks: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += 0xffff) {
    const part = bytes.subarray(at, at + 0xffff)
    blocks.push(Uint8Array.of(0), littleEndian([2, part.length], [2, 0xffff - part.length]), part)
  }
  return last ? [...blocks, Uint8Array.of(1, 0, 0, 0xff, 0xff)] : blocks
}

/**
 * One block with codes of its own (§3.2.7): literal 0 and end-of-block take 2 bits, "258 bytes from 1 back" takes 1 + 1. An empty stored
 * block after it brings the stream back to a byte boundary.
 */
function zeroRun(zeros: number): Uint8Array {
  const out = bitWriter()
  out.bits(0, 1) // not the last block
  out.bits(2, 2) // dynamic codes
  out.bits(29, 5) // 286 literal and length codes
  out.bits(0, 5) // 1 distance code
  out.bits(14, 4) // 18 code-length codes, in the order of §3.2.7
  // 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1
  for (const length of [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2]) out.bits(length, 3)
  // Codes: 18 is 0; 1 is 10; 2 is 11.
  const repeatZero = (count: number) => {
    out.code("0")
    out.bits(count - 11, 7)
  }
  out.code("11") // literal 0: 2 bits
  repeatZero(138)
  repeatZero(117)
  out.code("11") // end of block: 2 bits
  repeatZero(28)
  out.code("10") // length 258: 1 bit
  out.code("10") // distance 1: 1 bit
  // Codes: 285 is 0; 0 is 10; 256 is 11; distance 1 is 0.
  const matches = Math.floor((zeros - 1) / 258)
  for (let literal = zeros - matches * 258; literal > 0; literal--) out.code("10")
  for (let left = matches; left > 0; left--) out.bits(0, 2)
  out.code("11")
  out.bits(0, 3) // stored, not the last
  return concat(out.bytes(), raw(Uint8Array.of(0, 0, 0xff, 0xff)))
}

/** Numbers go least significant bit first, Huffman codes most significant bit first (§3.1.1). */
function bitWriter() {
  const out: Array<number> = []
  let used = 8
  const bit = (value: number) => {
    if (used === 8) {
      out.push(0)
      used = 0
    }
    out[out.length - 1] = (out.at(-1) ?? 0) | (value << used++)
  }
  return {
    bits: (value: number, count: number) => {
      for (let at = 0; at < count; at++) bit((value >> at) & 1)
    },
    code: (digits: string) => {
      for (const digit of digits) bit(Number(digit))
    },
    bytes: () => Uint8Array.from(out)
  }
}
