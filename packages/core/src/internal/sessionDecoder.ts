/**
 * Finds the end of one command's output in one channel of a session, however the stream is cut into chunks. Pure state, no effects.
 */

/** What ends a command's output: its exit code, or why it was not started. */
export interface EndFrame {
  readonly kind: "exit" | "refusal"
  readonly text: string
}

export interface SessionDecoder {
  /** Feeds a chunk; what it holds of the command's output goes to `add`. Bytes after the end frame are nobody's. */
  readonly feed: (chunk: Uint8Array, add: (bytes: Uint8Array) => void) => void
  readonly end: () => EndFrame | undefined
}

/** An exit code or a word. */
const longestText = 20
const framePattern = /^([?-])([a-z0-9]{0,20})\./

/** `nonce` is ASCII and does not occur in output by accident; where it does without being a frame, it is output. */
export const make = (nonce: string): SessionDecoder => {
  const needle = Buffer.from(nonce, "latin1")
  let rest: Buffer = Buffer.alloc(0)
  let end: EndFrame | undefined
  /** Passes on what is surely output; false when more is needed to go on. */
  const step = (add: (bytes: Uint8Array) => void): boolean => {
    const pass = (length: number) => {
      if (length > 0) add(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    const at = rest.indexOf(needle)
    if (at === -1) {
      // The nonce may be cut in two.
      pass(Math.max(0, rest.length - needle.length + 1))
      return false
    }
    const tail = rest.subarray(at + needle.length, at + needle.length + longestText + 2).toString("latin1")
    const match = framePattern.exec(tail)
    if (match !== null) {
      pass(at)
      end = { kind: match[1] === "-" ? "exit" : "refusal", text: match[2] ?? "" }
      return false
    }
    const isCut = tail.length < longestText + 2 && !tail.includes(".")
    pass(isCut ? at : at + needle.length)
    return !isCut
  }
  return {
    feed: (chunk, add) => {
      if (end !== undefined) return
      rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
      let isMore = true
      while (isMore) isMore = step(add)
    },
    end: () => end
  }
}
