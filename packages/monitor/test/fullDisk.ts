/**
 * A sample store on a disk that is full and then is not, as a process of its own, with what it saw as JSON on stdout.
 * Arguments: the store's path, and a ballast to delete half-way.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fs from "node:fs"
import * as SampleFile from "../src/SampleFile.ts"
import { SampleStore } from "../src/SampleStore.ts"
import { wide } from "./sampleItems.ts"

const [path = "", ballast = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const store = yield* SampleStore
  const record = (from: number, to: number) =>
    Effect.forEach(
      Array.from({ length: to - from }, (_, index) => wide("a", from + index)),
      store.record,
      { discard: true }
    )
  yield* record(0, 4000)
  const error = yield* Effect.flip(store.flush)
  const kept = (yield* Stream.runCollect(store.items({ id: "a" }))).length
  const refused = yield* store.status
  yield* record(4000, 4100)
  fs.rmSync(ballast)
  yield* store.flush
  const healed = yield* store.status
  const all = (yield* Stream.runCollect(store.items({ id: "a" }))).length
  return { reason: error.reason, told: refused.failure?.reason, kept, waiting: refused.waiting, healed, all }
})

const seen = await Effect.runPromise(
  program.pipe(Effect.provide(SampleFile.layer({ path, maxBytes: 8_000_000, flushEvery: "1 hour" })))
)
process.stdout.write(JSON.stringify(seen))
