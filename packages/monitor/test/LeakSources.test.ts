import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import process from "node:process"
import type { ProcFiles } from "../src/internal/procTree.ts"
import { procFiles } from "../src/internal/procTree.ts"
import type { LeakReading, LeakSourcesOptions } from "../src/LeakSources.ts"
import { layerWith, LeakSources } from "../src/LeakSources.ts"

const read = (options: LeakSourcesOptions): Effect.Effect<LeakReading> =>
  Effect.flatMap(LeakSources, (sources) => sources.read(5)).pipe(Effect.provide(layerWith(options)))

/** A /proc of four processes: 10, its child 11, the zombie 12 below that, and the stranger 20. */
const proc: Readonly<Record<string, string | ReadonlyArray<string>>> = {
  "/proc": ["10", "11", "12", "20", "self", "meminfo"],
  "/proc/10/stat": "10 (sh) S 1 10 10",
  "/proc/11/stat": "11 (a) b) (c) S 10 11",
  "/proc/12/stat": "12 (x) Z 11 11",
  "/proc/20/stat": "20 (y) S 1 20",
  "/proc/10/status": "Name:\tsh\nVmRSS:\t    2048 kB\n",
  "/proc/10/fd": ["0", "1", "2"],
  "/proc/10/ns/net": "net:[1]",
  "/proc/11/ns/net": "net:[2]",
  "/proc/20/ns/net": "net:[3]",
  "/proc/10/mountinfo": [
    "22 1 8:1 / / rw - ext4 /dev/sda rw",
    "23 22 0:4 net:[2] /run/a rw - nsfs nsfs rw",
    "24 22 0:4 net:[4] /run/b rw - nsfs nsfs rw",
    ""
  ].join("\n"),
  "/cgroup": ["cgroup.procs", "a", "b"],
  "/cgroup/a": ["cgroup.procs", "inner"],
  "/cgroup/a/inner": [],
  "/cgroup/b": [],
  "/tmp": ["sbx-1", "sbx-2", "other"]
}

/** Files of {@link proc} with some of them refused. */
const recorded = (refused: Readonly<Record<string, string>> = {}): ProcFiles => {
  const find = (at: string) => refused[at] ?? (proc[at] === undefined ? "ENOENT" : undefined)
  const text = (at: string) => {
    const code = find(at)
    return code === undefined ? String(proc[at]) : { code }
  }
  return {
    read: text,
    link: text,
    list: (at) => {
      const names = proc[at]
      if (names === undefined || typeof names === "string") return { code: find(at) ?? "ENOTDIR" }
      const code = find(at)
      return code === undefined ? { names } : { code }
    }
  }
}

const asked: LeakSourcesOptions = {
  pid: 10,
  cgroupDirectory: "/cgroup",
  temporary: [{ directory: "/tmp", prefix: "sbx-" }],
  files: recorded()
}

describe("a reading", () => {
  it.effect("counts what is there, of the process and those below it", () =>
    Effect.gen(function* () {
      const { absent, operations, values } = yield* read(asked)
      assert.deepStrictEqual(values, {
        memoryBytes: 2_097_152,
        fileDescriptors: 3,
        processes: 2,
        zombies: 1,
        mounts: 3,
        cgroups: 3,
        networkNamespaces: 3,
        temporaryEntries: 2
      })
      assert.deepStrictEqual(absent, { containers: "not-asked" })
      assert.strictEqual(operations, 5)
    })
  )

  it.effect("counts the network namespaces of all processes where that is asked for", () =>
    Effect.gen(function* () {
      const { values } = yield* read({ ...asked, networkNamespaces: "host" })
      assert.strictEqual(values.networkNamespaces, 4)
    })
  )

  it.effect.each([
    ["/proc/10/fd", "EACCES", { fileDescriptors: "denied" }],
    ["/proc/10/status", "EIO", { memoryBytes: "failed" }],
    ["/proc/11/ns/net", "EACCES", { networkNamespaces: "denied" }],
    ["/proc/11/stat", "EPERM", { processes: "denied", zombies: "denied", networkNamespaces: "denied" }],
    ["/proc", "EACCES", { processes: "denied", zombies: "denied", networkNamespaces: "denied" }],
    ["/proc/10/mountinfo", "EACCES", { mounts: "denied", networkNamespaces: "denied" }],
    ["/cgroup/a/inner", "EACCES", { cgroups: "denied" }],
    ["/cgroup", "ENOENT", { cgroups: "gone" }],
    ["/tmp", "ENOENT", { temporaryEntries: "gone" }]
  ] as const)("has no number where %s answers %s", ([at, code, expected]) =>
    Effect.gen(function* () {
      const { absent, values } = yield* read({ ...asked, files: recorded({ [at]: code }) })
      assert.deepStrictEqual(absent, { ...expected, containers: "not-asked" })
      for (const counter of Object.keys(expected)) assert.notProperty(values, counter)
    })
  )

  it.effect("leaves out a process that ended while it was looked at", () =>
    Effect.gen(function* () {
      const files = recorded({ "/proc/12/stat": "ESRCH", "/proc/11/ns/net": "ENOENT" })
      const { values } = yield* read({ ...asked, files })
      assert.deepStrictEqual([values.processes, values.zombies, values.networkNamespaces], [2, 0, 3])
    })
  )

  it.effect("says that a process is gone, and that nothing else was asked for", () =>
    Effect.gen(function* () {
      const { absent, values } = yield* read({ pid: 99, files: recorded() })
      assert.deepStrictEqual(values, {})
      assert.deepStrictEqual(absent, {
        memoryBytes: "gone",
        fileDescriptors: "gone",
        processes: "gone",
        zombies: "gone",
        mounts: "gone",
        networkNamespaces: "gone",
        cgroups: "not-asked",
        temporaryEntries: "not-asked",
        containers: "not-asked"
      })
    })
  )
})

describe("this process", () => {
  it.live("sees a file that is opened, a directory that is made and a child that is started", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "sbx-leak-"))),
        (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
      )
      const options = { temporary: [{ directory }], files: procFiles }
      const before = yield* read(options)
      yield* Effect.acquireRelease(
        Effect.sync(() => fs.openSync("/dev/null", "r")),
        (file) => Effect.sync(() => fs.closeSync(file))
      )
      fs.mkdirSync(path.join(directory, "a"))
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn("sleep", ["60"], { stdio: "ignore" })),
        (started) => Effect.sync(() => started.kill("SIGKILL"))
      )
      assert.isDefined(child.pid)
      const after = yield* read(options)
      // The child may have brought a descriptor of its own.
      assert.isAtLeast((after.values.fileDescriptors ?? 0) - (before.values.fileDescriptors ?? 0), 1)
      assert.strictEqual(after.values.temporaryEntries, 1)
      assert.strictEqual((after.values.processes ?? 0) - (before.values.processes ?? 0), 1)
      assert.closeTo(after.values.memoryBytes ?? 0, process.memoryUsage.rss(), 20e6)
      assert.isAbove(after.values.mounts ?? 0, 0)
    }).pipe(Effect.scoped)
  )
})
