import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import * as RunStore from "../src/RunStore.ts"

describe("run ids", () => {
  it.effect("sort by age", () =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      for (let i = 0; i < 50; i++) {
        yield* TestClock.adjust(Duration.millis(1 + 997 * i * i))
        ids.push(yield* RunStore.makeRunId)
      }
      assert.deepStrictEqual([...ids].sort(), ids)
      for (const id of ids) assert.match(id, /^run_\d{8}t\d{9}_[a-z0-9]{4}$/)
    })
  )
})

layer(NodeServices.layer, { excludeTestServices: true })("the run store", (it) => {
  const directory = Effect.flatMap(FileSystem, (fs) => fs.makeTempDirectoryScoped())

  it.effect("keeps the folder of a run that started, and last leads to the newest", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem
      const cwd = yield* directory
      const made: Array<string> = []
      for (let i = 0; i < 2; i++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const folder = yield* RunStore.create(cwd)
            yield* folder.started
            yield* folder.write("summary.md", "# x\n")
            yield* fs.writeFileString(folder.journal, "")
            made.push(folder.runId)
          })
        )
      }
      assert.strictEqual(yield* fs.readLink(`${cwd}/.sbx/runs/last`), made[1])
      assert.deepStrictEqual(yield* RunStore.list(cwd), [...made].sort())
      const [first] = made
      assert(first !== undefined)
      assert.strictEqual(yield* RunStore.journalOf(cwd, first), `${cwd}/.sbx/runs/${first}/journal.sqlite`)
      assert.strictEqual(yield* RunStore.journalOf(cwd, "last"), `${cwd}/.sbx/runs/last/journal.sqlite`)
      assert.sameMembers(yield* fs.readDirectory(`${cwd}/.sbx/runs/${first}`), ["summary.md", "journal.sqlite"])
      assert.strictEqual(yield* fs.readFileString(`${cwd}/.sbx/.gitignore`), "*\n")
    })
  )

  it.effect("keeps nothing of a run that did not start", () =>
    Effect.gen(function* () {
      const cwd = yield* directory
      yield* Effect.scoped(RunStore.create(cwd))
      assert.deepStrictEqual(yield* RunStore.list(cwd), [])
      const error = yield* Effect.flip(RunStore.journalOf(cwd, "last"))
      assert.include(error.message, "sbx run smoke")
    })
  )

  it.effect("names the nearest runs for an unknown one, and takes no path for a run", () =>
    Effect.gen(function* () {
      const cwd = yield* directory
      const runId = yield* Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* RunStore.create(cwd)
          yield* folder.started
          return folder.runId
        })
      )
      const near = yield* Effect.flip(RunStore.journalOf(cwd, `${runId.slice(0, -1)}_`))
      assert.deepStrictEqual(near.nearest, [runId])
      assert.strictEqual((yield* Effect.flip(RunStore.journalOf(cwd, "../runs/last")))._tag, "UnknownRun")
    })
  )
})
