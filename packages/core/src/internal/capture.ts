/** Keeps the first `limitBytes` of a stream of bytes; counts and digests all of them. */
import type { OutputDigest } from "../SandboxEvent.ts"
import { running, type RunningDigest, sha256 } from "./digest.ts"

export interface Capture {
  readonly add: (bytes: Uint8Array) => void
  readonly bytes: () => Uint8Array
  readonly text: () => string
  readonly truncated: () => boolean
  readonly digest: () => OutputDigest
}

const decoder = new TextDecoder()
/** Of no bytes. */
const emptySha256 = sha256("")

export const make = (limitBytes: number): Capture => {
  const kept: Array<Uint8Array> = []
  /** Most commands leave one channel silent. */
  let hash: RunningDigest | undefined
  let keptBytes = 0
  let total = 0
  const bytes = () => {
    const joined = new Uint8Array(keptBytes)
    let offset = 0
    for (const part of kept) {
      joined.set(part, offset)
      offset += part.length
    }
    return joined
  }
  return {
    add: (chunk) => {
      hash ??= running()
      hash.add(chunk)
      total += chunk.length
      const part = chunk.subarray(0, limitBytes - keptBytes)
      if (part.length === 0) return
      // A copy: the chunk may be a view into a much larger buffer of the connection.
      kept.push(Uint8Array.from(part))
      keptBytes += part.length
    },
    bytes,
    text: () => (keptBytes === 0 ? "" : decoder.decode(bytes())),
    truncated: () => total > keptBytes,
    digest: () => ({ bytes: total, sha256: hash?.hex() ?? emptySha256, truncated: total > keptBytes })
  }
}
