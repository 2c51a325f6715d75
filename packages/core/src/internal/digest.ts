/** SHA-256, all at once or piece by piece. An adapter: effect's own digest takes whole inputs only. */
import { createHash } from "node:crypto"

/** Lower-case hex. */
export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex")

export interface RunningDigest {
  readonly add: (bytes: Uint8Array) => void
  /** Lower-case hex of all that was added; adding more afterwards is a defect. */
  readonly hex: () => string
}

export const running = (): RunningDigest => {
  const hash = createHash("sha256")
  let hex: string | undefined
  return {
    add: (bytes) => void hash.update(bytes),
    hex: () => (hex ??= hash.digest("hex"))
  }
}
