/**
 * Finds the byte of one answer at which a fault is due: its first byte, the middle of its head, of its body, or of a frame of a
 * hijacked stream. Says so too when the answer has no such byte.
 */
import { headerOf } from "./requestParser.ts"

/** Of the answer; a fault at the request happens before there is one. */
export type AnswerPoint = "reply" | "head" | "body" | "frame"

export interface Gated {
  /** To be passed on. */
  readonly pass: Buffer
  /** Held back; empty unless the point was reached. */
  readonly rest: Buffer
  /** `missed`: the answer has no such point. */
  readonly at: "before" | "reached" | "missed"
}

/** Shorter than any status line with a header, longer than the protocol's name. */
const midHead = 14
const frameHeader = 8
const nothing = Buffer.alloc(0)

/** Content that ends where the proxy cannot tell (chunks, until close, a hijacked stream) has no length. */
const bodyLength = (head: string, status: number, method: string): number | undefined => {
  if (method === "HEAD" || status === 204 || status === 304) return 0
  const length = headerOf(head, "content-length")
  return length === undefined ? undefined : Number(length)
}

export class AnswerGate {
  private readonly point: AnswerPoint
  private readonly method: string
  private seen: Buffer = nothing
  private passed = 0

  constructor(point: AnswerPoint, method: string) {
    this.point = point
    this.method = method
  }

  /** Bytes are passed on as far as they surely lie before the point. */
  push(chunk: Buffer): Gated {
    this.seen = Buffer.concat([this.seen, chunk])
    const { at, offset } = this.look()
    return this.release(at === "missed" ? this.seen.length : Math.min(offset, this.seen.length), at)
  }

  private release(to: number, at: Gated["at"]): Gated {
    const pass = this.seen.subarray(this.passed, to)
    this.passed = to
    return { pass, rest: at === "reached" ? this.seen.subarray(to) : nothing, at }
  }

  private look(): { readonly at: Gated["at"]; readonly offset: number } {
    if (this.point === "reply") return { at: "reached", offset: 0 }
    if (this.point === "head") return this.atByte(midHead)
    const end = this.seen.indexOf("\r\n\r\n")
    if (end < 0) return { at: "before", offset: 0 }
    const head = this.seen.toString("latin1", 0, end + 4)
    const status = Number(head.slice(9, 12))
    if (this.point === "frame") return status === 101 ? this.midFrame(end + 4) : { at: "missed", offset: 0 }
    return this.midBody(end + 4, bodyLength(head, status, this.method))
  }

  private atByte(offset: number): { readonly at: Gated["at"]; readonly offset: number } {
    return { at: offset <= this.seen.length ? "reached" : "before", offset }
  }

  /** The middle of what came first of the body. */
  private midBody(start: number, length: number | undefined) {
    if (length === 0) return { at: "missed" as const, offset: 0 }
    const here = this.seen.length - start
    if (here === 0) return { at: "before" as const, offset: start }
    return this.atByte(start + (length === 1 ? 0 : Math.max(1, Math.floor(here / 2))))
  }

  /** The middle of the first frame that carries something. */
  private midFrame(start: number) {
    let at = start
    while (at + frameHeader <= this.seen.length) {
      const length = this.seen.readUInt32BE(at + 4)
      if (length > 0) return this.atByte(at + frameHeader + Math.floor(length / 2))
      at += frameHeader
    }
    return { at: "before" as const, offset: at }
  }
}
