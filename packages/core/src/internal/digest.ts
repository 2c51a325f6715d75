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

/** JSON with sorted keys: equal values have equal digests whoever wrote them. */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  const entries = Object.entries(value).filter(([, field]) => field !== undefined)
  const fields = entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`)
  return `{${fields.join(",")}}`
}
