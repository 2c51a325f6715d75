import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Owner from "@sbx/core/Owner"
import * as Effect from "effect/Effect"
import * as benchRemains from "../src/internal/benchRemains.ts"
import { directory } from "./support/commandLine.ts"

describe("what a benchmark leaves", () => {
  it.effect("goes when its owner is dead, and stays when it lives or is not known", () =>
    Effect.gen(function* () {
      const cwd = directory()
      assert.deepStrictEqual(yield* benchRemains.sweep(cwd), { removed: [], failures: [] })
      const living = yield* benchRemains.makePlace(cwd)
      const other = (name: string, owner: string) => {
        const place = path.join(cwd, ".sbx/bench", name)
        mkdirSync(place)
        writeFileSync(path.join(place, "owner"), owner)
        return place
      }
      const self = yield* Owner.current
      // Our own pid with another start time: the process that had it before.
      const dead = other("bench-dead", Owner.toLabel({ ...self, startTicks: "1" }))
      const elsewhere = other("bench-elsewhere", Owner.toLabel({ ...self, pidNamespace: "1" }))
      const strange = other("bench-strange", "")
      const swept = yield* benchRemains.sweep(cwd)
      assert.deepStrictEqual(swept, { removed: [`benchmark folder ${dead}`], failures: [] })
      assert.deepStrictEqual([living, dead, elsewhere, strange].map(existsSync), [true, false, true, true])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})
