/** One-shot statistics: what is absent, what is no limit, and where each cgroup version keeps its numbers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Routes } from "./support/FakeDocker.ts"
import { hostMemoryBytes, withFake, withPauses } from "./support/FakeDocker.ts"

describe("Docker: stats", () => {
  const sample = (wire: object | "") =>
    withFake(
      { "GET /containers/c/stats": ({ json, response }) => (wire === "" ? void response.end() : json(200, wire)) },
      (engine, fake) => Effect.map(engine.statsContainer("c"), (stats) => ({ stats, url: fake.requests.at(-1)?.url }))
    )
  const read = "2026-01-01T00:00:00.5Z"

  it.effect("asks for one shot and never streams", () =>
    Effect.gen(function* () {
      const { url } = yield* sample({ read })
      assert.strictEqual(url, "/v1.41/containers/c/stats?stream=false&one-shot=true")
    })
  )

  it.effect("calls a container that does not run absent, also with Podman's empty body", () =>
    Effect.gen(function* () {
      const zero = { id: "c", name: "/web", read: "0001-01-01T00:00:00Z", cpu_stats: { cpu_usage: { total_usage: 0 } } }
      for (const wire of [zero, { id: "c", name: "/web" }, ""] as const) {
        assert.strictEqual((yield* sample(wire)).stats, "absent")
      }
    })
  )

  it.effect("leaves out what was not reported instead of saying zero", () =>
    Effect.gen(function* () {
      const { stats } = yield* sample({
        read,
        cpu_stats: { cpu_usage: { total_usage: 0 } },
        precpu_stats: { cpu_usage: { total_usage: 7 }, system_cpu_usage: 9 },
        memory_stats: {},
        pids_stats: {},
        blkio_stats: { io_service_bytes_recursive: null }
      })
      assert.deepStrictEqual(stats, {
        containerId: "c",
        readAtMillis: Date.parse(read),
        cpu: undefined,
        memory: undefined,
        pids: undefined,
        network: undefined,
        blockIo: undefined
      })
    })
  )

  it.effect("reads the inactive file cache of both cgroup versions", () =>
    Effect.gen(function* () {
      const inactive = (stats: object) =>
        Effect.map(
          sample({ read, memory_stats: { usage: 10, stats } }),
          (seen) => seen.stats !== "absent" && seen.stats.memory?.inactiveFileBytes
        )
      assert.strictEqual(yield* inactive({ total_inactive_file: 4, inactive_file: 1 }), 4)
      assert.strictEqual(yield* inactive({ inactive_file: 2 }), 2)
      assert.strictEqual(yield* inactive({}), undefined)
    })
  )

  it.effect("takes a limit of the whole host, or of 2^63, for none", () =>
    Effect.gen(function* () {
      const limits = (memory: number, pids: number) =>
        Effect.map(
          sample({ read, memory_stats: { usage: 1, limit: memory }, pids_stats: { current: 1, limit: pids } }),
          ({ stats }) => (stats === "absent" ? stats : [stats.memory?.limitBytes, stats.pids?.limit])
        )
      assert.deepStrictEqual(yield* limits(4096, 64), [4096, 64])
      assert.deepStrictEqual(yield* limits(hostMemoryBytes, 0), [undefined, undefined])
      assert.deepStrictEqual(yield* limits(2 ** 63 - 4096, 2 ** 64), [undefined, undefined])
    })
  )

  it.effect("adds up block io over devices, whatever the case of the operation", () =>
    Effect.gen(function* () {
      const { stats } = yield* sample({
        read,
        blkio_stats: {
          io_service_bytes_recursive: [
            { op: "Read", value: 1 },
            { op: "read", value: 2 },
            { op: "Write", value: 4 },
            { op: "Total", value: 7 }
          ]
        },
        networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 3, tx_bytes: 4 } }
      })
      assert.deepInclude(stats, {
        blockIo: { readBytes: 3, writeBytes: 4 },
        network: [
          { name: "eth0", rxBytes: 1, txBytes: 2 },
          { name: "eth1", rxBytes: 3, txBytes: 4 }
        ]
      })
    })
  )

  it.effect("says not found for a removed container", () =>
    Effect.gen(function* () {
      const error = yield* withFake(
        { "GET /containers/c/stats": ({ json }) => json(404, { message: "No such container: c" }) },
        (engine) => Effect.flip(engine.statsContainer("c"))
      )
      assert.strictEqual(error._tag, "ObjectNotFound")
    })
  )

  it.effect("asks for the host's memory until it knows it, then no more", () => {
    let asked = 0
    const routes: Routes = {
      "GET /info": ({ json }) =>
        ++asked <= 4 ? json(503, { message: "busy" }) : json(200, { ServerVersion: "1", NCPU: 1, MemTotal: 1 }),
      "GET /containers/c/stats": ({ json }) => json(200, { read })
    }
    return withFake(routes, (engine) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* withPauses(Effect.flip(engine.statsContainer("c"))))._tag, "EngineFailure")
        yield* Effect.repeat(engine.statsContainer("c"), { times: 2 })
        // Four attempts of the first, one of the second, none of the third.
        assert.strictEqual(asked, 5)
      })
    )
  })

  it.effect("does not guess when the engine hides the host's memory", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        withFake({ "GET /info": ({ json }) => json(200, { ServerVersion: "1", NCPU: 1, MemTotal: 0 }) }, (engine) =>
          engine.statsContainer("c")
        )
      )
      assert.strictEqual(error._tag, "EngineProtocolError")
    })
  )
})
