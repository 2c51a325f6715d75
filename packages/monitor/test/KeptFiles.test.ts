import { assert, describe, it } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { derive } from "../src/ContainerSampler.ts"
import { hostFiles } from "../src/internal/hostFiles.ts"
import { defaultLives, makeKeeper } from "../src/internal/keptFiles.ts"
import { target } from "./readings.ts"
import { hostPid, inspected, recorded, recordedV1, recordedV2, statOf, v1File, v2File } from "./recordedHost.ts"
import { reader } from "./recordedReader.ts"

/** The same container for the recorded files, another one for the source. */
const other: ContainerTarget = { containerId: "decaf0", name: "other" }

const keptV1 = [
  `/proc/${hostPid}/stat`,
  ...[
    "blkio/blkio.throttle.io_service_bytes_recursive",
    "cpu/cpu.stat",
    "cpuacct/cpuacct.usage",
    "memory/memory.max_usage_in_bytes",
    "memory/memory.oom_control",
    "memory/memory.stat",
    "memory/memory.usage_in_bytes",
    "pids/pids.current"
  ].map(v1File)
]

const keptV2 = [
  `/proc/${hostPid}/stat`,
  ...[
    "cgroup.procs",
    "cgroup.threads",
    "cpu.stat",
    "io.stat",
    "memory.current",
    "memory.events",
    "memory.peak",
    "memory.stat",
    "pids.current"
  ].map(v2File)
]

describe("CgroupSource, files kept open", () => {
  // Not among them: lists of version 1, which are not written anew, and net/dev, which would hold the network namespace.
  it.effect.each([
    { version: "1", texts: recordedV1, kept: keptV1 },
    { version: "2", texts: recordedV2, kept: keptV2 }
  ])("are those of version $version that the kernel writes anew, until the scope closes", ({ kept, texts }) =>
    Effect.gen(function* () {
      const host = recorded(texts())
      const scope = yield* Scope.make()
      const { read } = yield* Scope.provide(reader(host), scope)
      const first = yield* read(target)
      assert.deepStrictEqual(host.open.toSorted(), kept)
      assert.deepStrictEqual((yield* read(target)).stats, first.stats)
      assert.deepStrictEqual(host.open.toSorted(), kept)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(host.open, [])
      // Who reads on is answered, and leaves nothing open.
      assert.deepStrictEqual((yield* read(target)).stats, first.stats)
      assert.deepStrictEqual(host.open, [])
    })
  )

  it.effect("are this process's descriptors, none of them after the scope", () =>
    Effect.gen(function* () {
      const root = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "sbx-kept-"))),
        (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
      )
      const host = recorded(recordedV1())
      for (const [name, text] of host.texts) {
        fs.mkdirSync(path.dirname(root + name), { recursive: true })
        fs.writeFileSync(root + name, text)
      }
      const descriptors = () =>
        fs.readdirSync("/proc/self/fd").filter((fd) => {
          const link = `/proc/self/fd/${fd}`
          return fs.existsSync(link) && fs.readlinkSync(link).startsWith(root)
        }).length
      const files = { ...host.files, open: (name: string) => hostFiles.open(root + name) }
      const scope = yield* Scope.make()
      const { read } = yield* Scope.provide(reader({ files }), scope)
      yield* read(target)
      fs.writeFileSync(root + v1File("pids/pids.current"), "3\n")
      assert.strictEqual((yield* read(target)).stats.pids?.current, 3)
      assert.strictEqual(descriptors(), keptV1.length)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(descriptors(), 0)
    })
  )

  it.effect("are those of so many containers and no more; the others read the same", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const { read } = yield* reader(host, [inspected()], { keepOpen: 1 })
      const first = yield* read(target)
      assert.deepStrictEqual((yield* read(other)).stats, first.stats)
      assert.strictEqual(host.open.length, keptV1.length)
      const none = recorded(recordedV1())
      const without = yield* reader(none, [inspected()], { keepOpen: 0 })
      assert.deepStrictEqual((yield* without.read(target)).stats, first.stats)
      assert.deepStrictEqual(none.open, [])
    })
  )

  it.effect("are closed once nobody has read them for half a minute, and give their place to another", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const { read } = yield* reader(host, [inspected()], { keepOpen: 1 })
      yield* read(target)
      yield* TestClock.adjust("29 seconds")
      yield* read(target)
      yield* TestClock.adjust("29 seconds")
      const looked = host.reads.get(v1File("cpu/cpu.stat")) ?? 0
      yield* read(other)
      // Opened, read and closed: the place is not free.
      assert.strictEqual(host.reads.get(v1File("cpu/cpu.stat")), looked + 1)
      assert.strictEqual(host.open.length, keptV1.length)
      yield* TestClock.adjust("31 seconds")
      yield* read(other)
      assert.deepStrictEqual(host.open.toSorted(), keptV1)
      // Opening looks at a recorded file once and reading once more.
      assert.strictEqual(host.reads.get(v1File("cpu/cpu.stat")), looked + 3)
    })
  )

  it.effect("are opened once by two that look for the container at the same time", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const { read } = yield* reader(host)
      yield* Effect.all([read(target), read(target)], { concurrency: "unbounded" })
      assert.deepStrictEqual(host.open.toSorted(), keptV1)
    })
  )
})

describe("CgroupSource, files kept open over lives of a container", () => {
  it.effect("are those of the new life after a restart", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const { read } = yield* reader(host, [inspected(), inspected({ hostPid: 9000 })])
      yield* read(target)
      for (const name of ["cgroup", "net/dev", "mountinfo"])
        host.texts.set(`/proc/9000/${name}`, host.texts.get(`/proc/${hostPid}/${name}`) ?? "")
      host.texts.set("/proc/9000/stat", statOf(9000, 2_999_999))
      host.texts.delete(`/proc/${hostPid}/stat`)
      host.remake(v1File("pids/pids.current"), "3\n")
      host.remake(v1File("cpuacct/cpuacct.usage"), "5\n")
      const { stats } = yield* read(target)
      assert.deepStrictEqual([stats.pids?.current, stats.cpu?.usageNanos], [3, 5])
      assert.deepStrictEqual(host.open.toSorted(), ["/proc/9000/stat", ...keptV1.slice(1)])
    })
  )

  it.effect("are closed when it has ended, and when its cgroup may not be read any more", () =>
    Effect.gen(function* () {
      const stopped = inspected({ running: false, status: "exited", hostPid: undefined })
      const host = recorded(recordedV1())
      const { read } = yield* reader(host, [inspected(), stopped])
      yield* read(target)
      host.remake(`/proc/${hostPid}/stat`, statOf(hostPid, 2_999_999))
      assert.strictEqual((yield* Effect.flip(read(target)))._tag, "TargetNotRunning")
      assert.deepStrictEqual(host.open, [])
      const refusing = recorded(recordedV1())
      const refused = yield* reader(refusing)
      yield* refused.read(target)
      refusing.refused.set(v1File("memory/memory.usage_in_bytes"), "EACCES")
      assert.strictEqual((yield* Effect.flip(refused.read(target)))._tag, "CgroupUnreadable")
      assert.deepStrictEqual(refusing.open, [])
    })
  )

  it.effect("are opened anew where a file was removed and made again, and given up where it was not", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const { read } = yield* reader(host)
      yield* read(target)
      host.remake(v1File("memory/memory.oom_control"), "oom_kill 7\n")
      host.texts.delete(v1File("memory/memory.max_usage_in_bytes"))
      const { absent, values } = derive(target, undefined, yield* read(target))
      assert.deepStrictEqual([values.memoryOomKills, absent.memoryPeakBytes], [7, "not-reported"])
      assert.strictEqual(host.open.length, keptV1.length - 1)
    })
  )

  it.effect("leave a reading with one task to its own process, without its list", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      host.texts.set(v1File("pids/pids.current"), "1\n")
      host.sizes.set(`/proc/${hostPid}/fd`, 5)
      const { read } = yield* reader(host)
      assert.deepInclude((yield* read(target)).details, { processes: 1, threads: 1, openFiles: 5 })
      assert.isUndefined(host.reads.get(v1File("pids/cgroup.procs")))
    })
  )
})

describe("keeper", () => {
  it("takes a quarter of what this process may open", () => {
    const limits = (soft: string) =>
      recorded(
        new Map([["/proc/self/limits", `Limit Soft Hard Units\nMax open files            ${soft} 4096 files\n`]])
      )
    assert.deepStrictEqual(
      ["1024", "400", "12", "1048576", "unlimited"].map((soft) => defaultLives(limits(soft).files)),
      [25, 10, 0, 256, 256]
    )
    assert.strictEqual(defaultLives(recorded(new Map()).files), 256)
    assert.isAtLeast(defaultLives(hostFiles), 1)
  })

  it("opens nothing for a life that has ended", () => {
    const host = recorded(new Map([["/a/b", "text"]]))
    const life = makeKeeper(host.files, 1).life()
    life.begin(0n)
    assert.strictEqual(life.read("/a", "b"), "text")
    assert.deepStrictEqual(host.open, ["/a/b"])
    life.close()
    life.begin(1n)
    assert.strictEqual(life.read("/a", "b"), "text")
    assert.deepStrictEqual(host.open, [])
  })
})
