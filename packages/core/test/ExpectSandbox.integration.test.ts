import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Effect } from "effect"
import * as ExpectSandbox from "../src/ExpectSandbox.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import type { Loosening } from "../src/SandboxSpec.ts"
import { sandboxesLayer } from "./support/sandboxesLayer.ts"

const makeSandbox = Effect.fnUntraced(function* (loosening: Loosening = {}) {
  const sandboxes = yield* Sandboxes
  return yield* sandboxes.make({ memory: "64M", pids: 64, cpus: 0.25, loosening })
})

const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => error._tag)

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("a real sandbox", (it) => {
  it.effect("has the limits it was given, and each one removed is noticed", () =>
    Effect.gen(function* () {
      const reading = yield* ExpectSandbox.limitsRespected(yield* makeSandbox())
      assert.strictEqual(reading.memoryLimitBytes, 64 * 1024 ** 2)
      assert.strictEqual(reading.cpus, 0.25)
      for (const loosening of [
        { noMemoryLimit: true },
        { noPidsLimit: true },
        { noCpuLimit: true },
        { noUlimits: true }
      ]) {
        const weakened = yield* makeSandbox(loosening)
        assert.strictEqual(yield* tagOf(ExpectSandbox.limitsRespected(weakened)), "ExpectationFailed")
      }
    })
  )

  it.effect("shows its files as they are", () =>
    Effect.gen(function* () {
      const box = yield* makeSandbox()
      yield* box.execOk(["sh", "-c", "umask 077; printf hello > f; mkdir -m 700 d; chmod 0 d"])
      assert.deepStrictEqual(yield* ExpectSandbox.fileExists(box, "/workspace/f"), {
        mode: 0o600,
        sizeBytes: 5,
        kind: "regular file"
      })
      yield* ExpectSandbox.fileContent(box, "f", "hello")
      const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
      yield* ExpectSandbox.fileChecksum(box, "f", sha256)
      yield* ExpectSandbox.fileAbsent(box, "/workspace/none")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileAbsent(box, "f")), "ExpectationFailed")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileExists(box, "none")), "ExpectationFailed")
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileMode(box, "f", 0o644)), "ExpectationFailed")
      // Behind a directory that may not be entered nothing is known.
      assert.strictEqual(yield* tagOf(ExpectSandbox.fileAbsent(box, "d/x")), "Undecidable")
    })
  )

  it.effect("is there until it is removed", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const box = yield* makeSandbox()
      const look = engine.inspectContainer(box.containerId)
      yield* ExpectSandbox.exists(box)
      assert.strictEqual(yield* tagOf(ExpectSandbox.doesNotExist(box.id, look)), "ExpectationFailed")
      yield* box.pause
      yield* ExpectSandbox.exists(box, "paused")
      assert.strictEqual(yield* tagOf(ExpectSandbox.exists(box)), "ExpectationFailed")
      yield* box.remove
      yield* ExpectSandbox.doesNotExist(box.id, look)
    })
  )
})
