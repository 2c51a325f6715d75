/** Leaks made on purpose by a process of our own, in a mount namespace of its own, and containers on the engine. */
import { assert, describe, it } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import process from "node:process"
import { createInterface } from "node:readline"
import { run } from "../src/LeakCheck.ts"
import { layerEngineWith, layerWith, LeakCounter, LeakSources } from "../src/LeakSources.ts"
import { engineLayer } from "./testEngine.ts"

const script = path.join(import.meta.dirname, "fixtures/leaker.sh")

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "sbx-leak-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
)

/** An empty cgroup of the unified hierarchy, or of the pids controller of version 1; removed from the leaves up. */
const cgroupDirectory = Effect.acquireRelease(
  Effect.sync(() => {
    const unified = "/sys/fs/cgroup"
    const root = fs.existsSync(`${unified}/cgroup.controllers`) ? unified : `${unified}/pids`
    return fs.mkdtempSync(`${root}/sbx-leak-`)
  }),
  (directory) =>
    Effect.sync(() => {
      const groups = fs.readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
      for (const { name } of groups) fs.rmdirSync(`${directory}/${name}`)
      fs.rmdirSync(directory)
    })
)

/** The process that leaks; the scope's end kills its whole group, and its mounts and namespaces go with it. */
const leaker = Effect.gen(function* () {
  const temporary = yield* temporaryDirectory
  const cgroup = yield* cgroupDirectory
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("unshare", ["--mount", "--propagation", "private", "bash", script, temporary, cgroup], {
        detached: true,
        stdio: ["pipe", "pipe", "inherit"]
      })
    ),
    (started) =>
      Effect.callback<void>((resume) => {
        started.once("close", () => resume(Effect.void))
        if (started.pid === undefined) resume(Effect.void)
        else process.kill(-started.pid, "SIGKILL")
      })
  )
  const answers = yield* Queue.unbounded<string>()
  createInterface({ input: child.stdout }).on("line", (line) => Queue.offerUnsafe(answers, line))
  const tell = (command: "leak" | "work") =>
    Effect.andThen(
      Effect.sync(() => child.stdin.write(`${command}\n`)),
      Queue.take(answers)
    )
  const layer = layerWith({
    ...(child.pid === undefined ? {} : { pid: child.pid }),
    cgroupDirectory: cgroup,
    temporary: [{ directory: temporary }]
  })
  return { tell, layer }
})

/** Reads until a fact is there: what was started in the background shows when it has come so far. */
const until = (counter: "zombies" | "networkNamespaces", count: number) =>
  Effect.flatMap(LeakSources, ({ read }) =>
    read(0).pipe(
      Effect.tap(() => Effect.sleep("2 millis")),
      Effect.repeat({ until: ({ values }) => (values[counter] ?? 0) >= count })
    )
  )

/**
 * A twentieth of the planted 1 MB an operation, since a page more or less in 24 operations is no leak; and a fifth of the one thing an
 * operation, which makes three in the 16 operations that are judged.
 */
const tolerance = {
  ...Object.fromEntries(LeakCounter.literals.map((counter) => [counter, { "per-1000-operations": 200 }])),
  memoryBytes: { "per-1000-operations": 50e6 }
}

describe("a process that leaks", () => {
  it.live("is found out in every counter", () =>
    Effect.gen(function* () {
      const { layer, tell } = yield* leaker
      let done = 0
      const leak = Effect.gen(function* () {
        yield* tell("leak")
        done++
        yield* until("zombies", done)
        yield* until("networkNamespaces", done + 1)
      })
      const report = yield* run(leak, { operations: 24, tolerance }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(
        report.counters.map(({ counter, first, last, verdict }) => [
          counter,
          verdict._tag,
          counter === "memoryBytes" ? undefined : (last ?? 0) - (first ?? 0)
        ]),
        [
          ["memoryBytes", "fail", undefined],
          ["fileDescriptors", "fail", 24],
          ["processes", "fail", 48],
          ["zombies", "fail", 24],
          ["mounts", "fail", 24],
          ["cgroups", "fail", 24],
          ["networkNamespaces", "fail", 24],
          ["temporaryEntries", "fail", 24]
        ]
      )
      const grown = report.counters[0]?.finding?.axes[0]?.scales[0]?.slope ?? 0
      assert.closeTo(grown / 1e9, 1, 0.1, "1 MB an operation is 1 GB per 1,000")
    }).pipe(Effect.scoped)
  )

  it.live("and one that gives everything back passes in every counter", () =>
    Effect.gen(function* () {
      const { layer, tell } = yield* leaker
      const report = yield* run(tell("work"), { operations: 24, tolerance }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(
        report.counters.map(({ counter, verdict }) => [counter, verdict]),
        report.counters.map(({ counter }) => [counter, { _tag: "pass" }])
      )
      assert.strictEqual(report.counters.length, 8)
    }).pipe(Effect.scoped)
  )
})

describe("containers", () => {
  it.live("that are left behind are found, and those of others are not counted", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const image = yield* Config.String("SBX_TEST_IMAGE_TINY")
      const mark = (yield* Random.nextIntBetween(0, 36 ** 6)).toString(36)
      const create = (labels: Readonly<Record<string, string>>, name: string) =>
        Effect.acquireRelease(engine.createContainer({ image, labels, name }), (id) =>
          Effect.orDie(engine.removeContainer(id))
        )
      let made = 0
      const labels = { "sbx.test": "monitor", "sbx.test.leak": mark }
      yield* create({ "sbx.test": "monitor" }, `sbx-test-monitor-other-${mark}`)
      const leak = Effect.suspend(() => create(labels, `sbx-test-monitor-leak-${mark}-${++made}`))
      const report = yield* run(leak, { operations: 12, warmUpShare: 0 }).pipe(
        Effect.provide(layerEngineWith({ labels: { "sbx.test.leak": mark } }))
      )
      const containers = report.counters.find(({ counter }) => counter === "containers")
      assert.deepStrictEqual([containers?.first, containers?.last, containers?.verdict._tag], [0, 12, "fail"])
    }).pipe(Effect.scoped, Effect.provide(engineLayer))
  )
})
