import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import { Effect } from "effect"
import * as SandboxPool from "../src/SandboxPool.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import { eventually, leftovers, nothing } from "./support/hostView.ts"
import { sandboxesLayer } from "./support/sandboxesLayer.ts"

const spec = { disk: "4M", env: { A: "1" } } as const
const pooled = SandboxPool.layerWith({ spec, min: 2 })
const idle = (count: number) =>
  eventually(
    Effect.flatMap(SandboxPool.SandboxPool, (pool) => pool.stats),
    ([stats]) => stats?.idle === count
  )

layer(sandboxesLayer({ settings: { maxConcurrentSandboxes: 4 } }), {
  excludeTestServices: true,
  timeout: "60 seconds"
})("a pool on a real engine", (it) => {
  it.effect("gives sandboxes that differ in nothing from fresh ones, and notices an idle one that dies", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { make } = yield* Sandboxes
      const { id } = yield* Journal
      const look = ["sh", "-c", "env | sort; ls -laR /workspace /tmp /dev/shm | sed 's/ [A-Z][a-z][a-z] .*:.. / /'"]
      const scenario = Effect.gen(function* () {
        const pool = yield* SandboxPool.SandboxPool
        yield* idle(2)
        const [first] = yield* engine.listContainers({ "sbx.journal": id })
        yield* engine.killContainer(first?.id ?? "", "KILL")
        yield* eventually(pool.stats, ([stats]) => stats?.total.unfit === 1 && stats.idle === 2)
        const used = yield* Effect.scoped(
          Effect.gen(function* () {
            const box = yield* pool.acquire()
            yield* box.execOk(["sh", "-c", "echo left > /workspace/left; echo left > /tmp/left"])
            return box.id
          })
        )
        const box = yield* pool.acquire(spec)
        const fresh = yield* make(spec)
        assert.notStrictEqual(box.id, used)
        const marks = /SBX_EXEC=\w+|1\d{5}/g
        const [seen, expected] = yield* Effect.forEach([box, fresh], (one) => one.execOk(look))
        assert.strictEqual(seen?.stdout.replaceAll(marks, ""), expected?.stdout.replaceAll(marks, ""))
        const [posture, freshPosture] = yield* Effect.forEach([box, fresh], (one) => one.inspect)
        const { mounts: _, ...host } = posture?.host ?? {}
        const { mounts: __, ...freshHost } = freshPosture?.host ?? {}
        assert.deepStrictEqual(host, freshHost)
      })
      yield* Effect.scoped(Effect.provide(scenario, pooled))
      assert.deepStrictEqual(yield* leftovers(id), nothing)
    })
  )
})
