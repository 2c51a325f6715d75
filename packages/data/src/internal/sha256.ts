/**
 * Incremental, synchronous SHA-256 (FIPS 180-4 §6.2). WebCrypto digests whole buffers only and asynchronously;
 * a checksum of a gigabyte stream in constant memory, and pure seed derivation, need neither limit.
 * For checksums and seeds only: no constant-time claim, no secrets.
 */

/** FIPS 180-4 §4.2.2: fractional parts of the cube roots of the first 64 primes. */
const K = fractionalParts(64, 3)
/** FIPS 180-4 §5.3.3: fractional parts of the square roots of the first 8 primes. */
const INITIAL = fractionalParts(8, 2)
const BLOCK = 64

/** A running hash. `digest` finishes it; a finished hash takes no more bytes. */
export interface Hasher {
  readonly update: (bytes: Uint8Array) => void
  readonly digest: () => Uint8Array
}

/** Starts a hash over nothing. */
export const hasher = (): Hasher => {
  const state = Uint32Array.from(INITIAL)
  const schedule = new Uint32Array(64)
  const block = new Uint8Array(BLOCK)
  let filled = 0
  let length = 0

  const update = (bytes: Uint8Array): void => {
    length += bytes.length
    let offset = 0
    while (offset < bytes.length) {
      if (filled === 0 && bytes.length - offset >= BLOCK) {
        compress(state, schedule, bytes, offset)
        offset += BLOCK
        continue
      }
      const take = Math.min(BLOCK - filled, bytes.length - offset)
      block.set(bytes.subarray(offset, offset + take), filled)
      filled += take
      offset += take
      if (filled === BLOCK) {
        compress(state, schedule, block, 0)
        filled = 0
      }
    }
  }

  const digest = (): Uint8Array => {
    const bits = BigInt(length) * 8n
    const padding = new Uint8Array((filled < 56 ? 56 : 120) - filled + 8)
    padding[0] = 0x80
    new DataView(padding.buffer).setBigUint64(padding.length - 8, bits)
    update(padding)
    const out = new Uint8Array(32)
    const view = new DataView(out.buffer)
    state.forEach((word, index) => view.setUint32(index * 4, word))
    return out
  }

  return { update, digest }
}

/** SHA-256 of one buffer. */
export const sha256 = (bytes: Uint8Array): Uint8Array => {
  const hash = hasher()
  hash.update(bytes)
  return hash.digest()
}

/** Lowercase hexadecimal text, as `sha256sum` prints it. */
export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

function compress(state: Uint32Array, schedule: Uint32Array, bytes: Uint8Array, offset: number): void {
  expand(schedule, bytes, offset)
  let [a, b, c, d, e, f, g, h] = [
    at(state, 0),
    at(state, 1),
    at(state, 2),
    at(state, 3),
    at(state, 4),
    at(state, 5),
    at(state, 6),
    at(state, 7)
  ]
  for (let t = 0; t < 64; t++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const choose = (e & f) ^ (~e & g)
    const t1 = (h + sum1 + choose + at(K, t) + at(schedule, t)) | 0
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const majority = (a & b) ^ (a & c) ^ (b & c)
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + sum0 + majority) | 0
  }
  // Typed-array stores wrap modulo 2^32, which is the addition the standard asks for.
  ;[a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index] = at(state, index) + word
  })
}

function expand(schedule: Uint32Array, bytes: Uint8Array, offset: number): void {
  for (let t = 0; t < 16; t++) {
    const i = offset + t * 4
    schedule[t] = (at(bytes, i) << 24) | (at(bytes, i + 1) << 16) | (at(bytes, i + 2) << 8) | at(bytes, i + 3)
  }
  for (let t = 16; t < 64; t++) {
    const w15 = at(schedule, t - 15)
    const w2 = at(schedule, t - 2)
    const sigma0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3)
    const sigma1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10)
    schedule[t] = at(schedule, t - 16) + sigma0 + at(schedule, t - 7) + sigma1
  }
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

function at(words: Uint32Array | Uint8Array, index: number): number {
  return words[index] ?? 0
}

/** First 32 fractional bits of the `degree`-th root of each of the first `count` primes, by exact integer root. */
function fractionalParts(count: number, degree: 2 | 3): Uint32Array {
  const primes: Array<bigint> = []
  for (let n = 2n; primes.length < count; n++) {
    if (primes.every((prime) => n % prime !== 0n)) primes.push(n)
  }
  return Uint32Array.from(primes, (prime) => {
    const target = prime << BigInt(32 * degree)
    let root = 0n
    for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) {
      if ((root + bit) ** BigInt(degree) <= target) root += bit
    }
    return Number(root & 0xffff_ffffn)
  })
}
