/** A running fingerprint of what happened, 64 bits: two runs with the same one took the same steps at the same times. */
import { hash32 } from "./prng.ts"

export class TraceHash {
  #low = 0x811c9dc5 | 0
  #high = 0x7f4a7c15 | 0

  number(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193)
    this.#high = Math.imul(this.#high ^ (value + (this.#low >>> 15)), 0x85ebca6b)
  }

  text(value: string): void {
    this.number(hash32(value, this.#low))
  }

  get hex(): string {
    const part = (n: number) => (n >>> 0).toString(16).padStart(8, "0")
    return part(this.#high) + part(this.#low)
  }
}
