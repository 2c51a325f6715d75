/** Ids of sandboxes and runs: a prefix and 16 characters of base32 (80 bits), from the `Random` service so that a seed replays them. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { SandboxId } from "./Sandbox.ts"

/** Lower case, without characters that look alike or are illegal in engine names (RFC 4648 alphabet). */
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
const length = 16

/** `<prefix>_` and 16 random characters. */
export const makeId = (prefix: string): Effect.Effect<string> =>
  Effect.map(Random.Random, (random) => {
    let id = `${prefix}_`
    for (let i = 0; i < length; i++) id += alphabet.charAt(Math.floor(random.nextDoubleUnsafe() * alphabet.length))
    return id
  })

/** A new sandbox id, `sbx_…`. */
export const make: Effect.Effect<SandboxId> = makeId("sbx")

/** Whether text has the form of a sandbox id. */
export const isSandboxId = (text: string): text is SandboxId => /^sbx_[a-z2-7]{16}$/.test(text)
