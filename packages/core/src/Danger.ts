/**
 * Which loosenings put the engine's host at risk. Such sandboxes are made on the private engine, or where the user allows it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Loosening } from "./SandboxSpec.ts"

/** Weaker, but as strong as the engine's own default or confined to the sandbox. */
const harmless: ReadonlySet<string> = new Set(["writableRoot", "defaultCapabilities", "user", "noUlimits"])

const isInForce = (field: string, value: unknown): boolean => {
  if (value === undefined || value === false) return false
  if (Array.isArray(value)) return value.length > 0
  return !(field === "seccomp" && value === "engine-default")
}

/** The dangerous fields in force, e.g. `["privileged", "hostPid"]`; empty for a hardened sandbox. */
export const dangers = (loosening: Loosening): ReadonlyArray<string> =>
  Object.entries(loosening).flatMap(([field, value]) =>
    !harmless.has(field) && isInForce(field, value) ? [field] : []
  )

/** A weakened sandbox was asked for on an engine that is not sbx's own. */
export class DangerousSandbox extends Schema.TaggedError<DangerousSandbox>()("DangerousSandbox", {
  fields: Schema.Array(Schema.String),
  endpoint: Schema.String
}) {
  override get message() {
    return `Could not make a sandbox loosened by ${this.fields.join(", ")}: ${this.endpoint} is not sbx's private engine.\nUse the private engine, or allow it with --allow-dangerous.`
  }
}

/** Fails with `DangerousSandbox` unless the loosening is harmless, the engine is private, or danger is allowed. */
export const permit = (
  loosening: Loosening,
  engine: { readonly address: string; readonly isPrivate: boolean; readonly allowDangerous: boolean }
): Effect.Effect<void, DangerousSandbox> => {
  const fields = dangers(loosening)
  return fields.length === 0 || engine.isPrivate || engine.allowDangerous
    ? Effect.void
    : Effect.fail(new DangerousSandbox({ fields, endpoint: engine.address }))
}
