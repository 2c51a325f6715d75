import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { makeHub } from "../src/internal/hub.ts"
import { makeMemoryStorage } from "../src/internal/memoryStorage.ts"
import { makeJournal } from "../src/internal/makeJournal.ts"
import { makeWriter } from "../src/internal/writer.ts"
import * as Journal from "@sbx/journal/Journal"
import { event, stream } from "./laws.ts"

describe("the writer", () => {
  it.effect("tells a defect of the storage to the callers of that batch and lives on", () =>
    Effect.gen(function* () {
      const storage = yield* makeMemoryStorage("jrn_test")
      let sick = true
      const commit: typeof storage.commit = (needs, decide) =>
        Effect.suspend(() => (sick ? Effect.die("planted") : storage.commit(needs, decide)))
      const hub = yield* makeHub(4)
      const journal = makeJournal({
        storage,
        hub,
        pageSize: 10,
        submit: yield* makeWriter({ ...storage, commit }, hub)
      })
      const append = (id: string) => journal.append(stream(id), [event(1)], { expected: Journal.noStream })
      const exits = yield* Effect.all([Effect.exit(append("a")), Effect.exit(append("b"))], { concurrency: 2 })
      for (const exit of exits) assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      sick = false
      assert.strictEqual((yield* append("a")).first, 1)
    })
  )
})
