import { assert, describe, it } from "@effect/vitest"
import type { ContainerInspect } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as os from "node:os"
import { derive } from "../src/ContainerSampler.ts"
import { target } from "./readings.ts"
import type { Recorded } from "./recordedHost.ts"
import { reader } from "./recordedReader.ts"
import { hostPid, inspected, recorded, recordedV1, recordedV2, statOf, v1File, v2File } from "./recordedHost.ts"

/** What both versions say about the same container. */
const expected = {
  cpuLimitCores: 0.5,
  memoryBytes: 22_278_144 - 20_971_520,
  memoryChargedBytes: 22_278_144,
  memoryLimitBytes: 67_108_864,
  memoryPercentOfLimit: (100 * (22_278_144 - 20_971_520)) / 67_108_864,
  memoryPeakBytes: 23_625_728,
  memoryOomKills: 2,
  pids: 4,
  pidsLimit: 50,
  processes: 2,
  threads: 3,
  networkRxBytes: 400,
  networkTxBytes: 75,
  blockReadBytes: 4096,
  blockWriteBytes: 8193
}

const versions = [
  { version: "1", texts: recordedV1, usage: v1File("cpuacct/cpuacct.usage"), burnt: "1315110044\n", at: v1File },
  {
    version: "2",
    texts: recordedV2,
    usage: v2File("cpu.stat"),
    burnt: "usage_usec 1315110\nnr_throttled 20\nthrottled_usec 968479\n",
    at: v2File
  }
]

describe("CgroupSource", () => {
  it.effect.each(versions)("reads what the kernel of cgroup version $version says", ({ burnt, texts, usage }) =>
    Effect.gen(function* () {
      const host = recorded(texts())
      const { asked, read } = yield* reader(host)
      const before = yield* read(target)
      const first = derive(target, undefined, before)
      assert.deepInclude(first.values, expected)
      assert.deepStrictEqual([first.source, first.absent.cpuCores], ["cgroup", "no-previous-reading"])
      yield* TestClock.adjust("1 second")
      host.texts.set(usage, burnt)
      const second = derive(target, before, yield* read(target))
      assert.approximately(second.values.cpuCores ?? Number.NaN, 0.5, 1e-3)
      assert.approximately(second.values.cpuPercentOfLimit ?? Number.NaN, 100, 0.1)
      assert.strictEqual(asked(), 1)
    })
  )

  it.effect("reads throttling in nanoseconds of either version", () =>
    Effect.gen(function* () {
      for (const { texts } of versions) {
        const { read } = yield* reader(recorded(texts()))
        const { cpu } = (yield* read(target)).stats
        assert.strictEqual(cpu?.throttledPeriods, 15)
        assert.approximately(cpu?.throttledNanos ?? Number.NaN, 718_479_318, 1000)
        assert.approximately(cpu?.usageNanos ?? Number.NaN, 815_110_044, 1000)
      }
    })
  )

  it.effect("calls no limit what the kernel calls none", () =>
    Effect.gen(function* () {
      const unlimited = [
        new Map([
          [v1File("cpu/cpu.cfs_quota_us"), "-1\n"],
          [v1File("memory/memory.stat"), "hierarchical_memory_limit 9223372036854771712\ntotal_inactive_file 0\n"],
          [v1File("pids/pids.max"), "max\n"]
        ]),
        new Map([
          [v2File("cpu.max"), "max 100000\n"],
          [v2File("memory.max"), "max\n"],
          [v2File("pids.max"), "max\n"]
        ])
      ]
      for (const [index, { texts }] of versions.entries()) {
        const { read } = yield* reader(recorded(new Map([...texts(), ...(unlimited[index] ?? [])])))
        const { absent } = derive(target, undefined, yield* read(target))
        for (const metric of ["cpuLimitCores", "memoryLimitBytes", "pidsLimit"] as const)
          assert.strictEqual(absent[metric], "no-limit")
      }
    })
  )

  it.effect("calls a limit of all of the machine's memory none", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV2())
      host.texts.set(v2File("memory.max"), `${os.totalmem()}\n`)
      const { read } = yield* reader(host)
      assert.strictEqual(derive(target, undefined, yield* read(target)).absent.memoryLimitBytes, "no-limit")
    })
  )

  it.effect("leaves out what the kernel does not show, and what it does not count", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV2())
      host.texts.delete(v2File("memory.peak"))
      host.texts.set(v2File("io.stat"), "")
      host.texts.set(`/proc/${hostPid}/net/dev`, "Inter-|\n face |\n    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n")
      host.texts.set(v2File("memory.stat"), "anon 1\n")
      const { read } = yield* reader(host)
      const { absent } = derive(target, undefined, yield* read(target))
      for (const metric of ["memoryPeakBytes", "blockReadBytes", "networkRxBytes", "memoryBytes"] as const)
        assert.strictEqual(absent[metric], "not-reported")
    })
  )

  it.effect.each(["host", "none"])("takes nothing for the traffic of a container on network %s", (networkMode) =>
    Effect.gen(function* () {
      const { read } = yield* reader(recorded(recordedV1()), [inspected({}, { networkMode })])
      assert.isUndefined((yield* read(target)).stats.network)
    })
  )

  it.effect("sees an update of the limits after 5 s", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV2())
      const { read } = yield* reader(host)
      const limits = Effect.map(read(target), ({ cpuLimitCores, stats }) => [
        cpuLimitCores,
        stats.memory?.limitBytes,
        stats.pids?.limit
      ])
      assert.deepStrictEqual(yield* limits, [0.5, 67_108_864, 50])
      host.texts
        .set(v2File("cpu.max"), "max 100000\n")
        .set(v2File("memory.max"), "4096\n")
        .set(v2File("pids.max"), "9\n")
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* limits, [0.5, 67_108_864, 50])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* limits, [undefined, 4096, 9])
    })
  )

  it.effect("reads no list of threads where there are as many tasks as processes", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      host.texts.set(v1File("pids/pids.current"), "2\n")
      host.texts.delete(v1File("pids/tasks"))
      const { read } = yield* reader(host)
      assert.deepInclude((yield* read(target)).details, { processes: 2, threads: 2 })
    })
  )

  it.effect("says which numbers may not be read, and reads the others", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      for (const name of ["memory/memory.oom_control", "memory/memory.stat", "pids/pids.current", "pids/cgroup.procs"])
        host.refused.set(v1File(name), "EACCES")
      const { read } = yield* reader(host)
      const { absent, values } = derive(target, undefined, yield* read(target))
      for (const metric of ["memoryBytes", "pids", "processes", "memoryOomKills", "openFiles"] as const)
        assert.strictEqual(absent[metric], "permission-denied", metric)
      assert.strictEqual(values.memoryChargedBytes, expected.memoryChargedBytes)
    })
  )

  it.effect("does not take a limit that may not be read for none", () =>
    Effect.gen(function* () {
      const refused = [
        { texts: recordedV1, paths: [v1File("cpu/cpu.cfs_quota_us"), v1File("pids/pids.max")] },
        { texts: recordedV2, paths: [v2File("cpu.max"), v2File("pids.max"), v2File("memory.max")] }
      ]
      for (const { paths, texts } of refused) {
        const host = recorded(texts())
        for (const path of paths) host.refused.set(path, "EACCES")
        const { read } = yield* reader(host)
        const { absent } = derive(target, undefined, yield* read(target))
        const limits = [
          "cpuLimitCores",
          "pidsLimit",
          ...(paths.length > 2 ? ["memoryLimitBytes" as const] : [])
        ] as const
        for (const metric of limits) assert.strictEqual(absent[metric], "permission-denied", metric)
      }
    })
  )

  it.effect("refuses garbage as not a number", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      host.texts.set(v1File("cpuacct/cpuacct.usage"), "nan\n")
      host.texts.set(v1File("memory/memory.usage_in_bytes"), "-1\n")
      host.texts.set(v1File("pids/pids.current"), "\n")
      const { read } = yield* reader(host)
      const before = yield* read(target)
      yield* TestClock.adjust("1 second")
      const { absent } = derive(target, before, yield* read(target))
      for (const metric of ["cpuCores", "memoryBytes", "memoryChargedBytes", "pids"] as const)
        assert.strictEqual(absent[metric], "not-a-number", metric)
    })
  )
})

describe("CgroupSource, of a container that it cannot read", () => {
  const failure = (host: Recorded, answers: ReadonlyArray<ContainerInspect | "gone">) =>
    Effect.flatMap(reader(host, answers), ({ read }) => Effect.flip(read(target)))

  it.effect("says gone, and not running", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      assert.strictEqual((yield* failure(host, ["gone"]))._tag, "TargetGone")
      const stopped = inspected({ running: false, status: "exited", hostPid: undefined })
      assert.strictEqual((yield* failure(host, [stopped]))._tag, "TargetNotRunning")
    })
  )

  it.effect("refuses a process of another container, or of another machine", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      host.texts.set(`/proc/${hostPid}/cgroup`, "4:memory:/docker/decaf0\n")
      const other = yield* failure(host, [inspected()])
      assert.strictEqual(other._tag, "CgroupUnreadable")
      assert.include(other.message, "is none of its processes")
      const elsewhere = yield* failure(recorded(new Map([["/proc/self/mountinfo", ""]])), [inspected()])
      assert.strictEqual(elsewhere._tag, "CgroupUnreadable")
      assert.include(elsewhere.message, `/proc/${hostPid}/stat: ENOENT`)
    })
  )

  it.effect.each(["cpuacct/cpuacct.usage", "memory/memory.usage_in_bytes"])("refuses to go without %s", (name) =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      host.refused.set(v1File(name), "EACCES")
      const error = yield* failure(host, [inspected()])
      assert.strictEqual(error._tag, "CgroupUnreadable")
      assert.include(error.message, `${v1File(name)}: EACCES`)
    })
  )

  it.effect("calls one that ended between the engine's answer and the look not running, a zombie too", () =>
    Effect.gen(function* () {
      const stopped = inspected({ running: false, status: "exited", hostPid: undefined })
      const host = recorded(recordedV1())
      host.texts.delete(`/proc/${hostPid}/stat`)
      assert.strictEqual((yield* failure(host, [inspected(), stopped]))._tag, "TargetNotRunning")
      // Restarted meanwhile: the next reading will find it.
      assert.strictEqual((yield* failure(host, [inspected(), inspected({ hostPid: 9000 })]))._tag, "TargetNotRunning")
      host.texts.set(`/proc/${hostPid}/stat`, statOf(hostPid, 1, "Z"))
      assert.strictEqual((yield* failure(host, [inspected(), stopped]))._tag, "TargetNotRunning")
    })
  )
})

describe("CgroupSource, over lives of a container", () => {
  it.effect("finds the container anew after a restart, and counts nothing across it", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const { asked, read } = yield* reader(host, [inspected(), inspected({ hostPid: 9000 })])
      const before = yield* read(target)
      yield* TestClock.adjust("1 second")
      for (const name of ["stat", "cgroup", "net/dev", "mountinfo"]) {
        host.texts.set(`/proc/9000/${name}`, host.texts.get(`/proc/${hostPid}/${name}`) ?? "")
        host.texts.delete(`/proc/${hostPid}/${name}`)
      }
      const { absent } = derive(target, before, yield* read(target))
      assert.deepStrictEqual([asked(), absent.cpuCores], [2, "counter-went-back"])
    })
  )

  it.effect("does not take a later process with the same pid for the container's", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const stopped = inspected({ running: false, status: "exited", hostPid: undefined })
      const { read } = yield* reader(host, [inspected(), stopped])
      yield* read(target)
      host.texts.set(`/proc/${hostPid}/stat`, statOf(hostPid, 2_999_999))
      assert.strictEqual((yield* Effect.flip(read(target)))._tag, "TargetNotRunning")
    })
  )

  it.effect("gives up on one that ends whenever it is looked at", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV1())
      const { files } = host
      // Alive when it is found, dead when it was read.
      const dying = {
        ...files,
        open: (path: string) => (path.endsWith("/stat") ? { code: "ESRCH" } : files.open(path))
      }
      const { asked, read } = yield* reader({ ...host, files: dying })
      assert.strictEqual((yield* Effect.flip(read(target)))._tag, "TargetNotRunning")
      assert.strictEqual(asked(), 2)
    })
  )
})

describe("CgroupSource, details", () => {
  const host = () => {
    const found = recorded(recordedV1())
    found.sizes.set(`/proc/${hostPid}/fd`, 3).set("/proc/8840/fd", 4)
    found.usages.set(`/proc/${hostPid}/root/work space`, { usedBytes: 1000, totalBytes: 10_000 })
    found.usages.set(`/proc/${hostPid}/root/volume`, { usedBytes: 1, totalBytes: 10 })
    found.usages.set(`/proc/${hostPid}/root/volume/again`, { usedBytes: 1, totalBytes: 10 })
    return found
  }

  it.effect("are read at their own pace in a series, and at once where asked for", () =>
    Effect.gen(function* () {
      const found = host()
      const { read } = yield* reader(found)
      const files = (options?: { readonly details: "fresh" }) =>
        Effect.map(read(target, options), ({ details }) => details?.openFiles)
      assert.strictEqual(yield* files(), 7)
      found.sizes.set("/proc/8840/fd", 40)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* files(), 7)
      assert.strictEqual(yield* files({ details: "fresh" }), 43)
      found.sizes.set("/proc/8840/fd", 400)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* files(), 403)
    })
  )

  it.effect("of several containers are due one after the other, also after all were read together", () =>
    Effect.gen(function* () {
      const idOf = (end: string) => `c0ffee${end.padStart(58, "0")}`
      const due = yield* Effect.forEach(["000000", "400000", "800000"], (end) =>
        Effect.gen(function* () {
          const renamed = (text: string) => text.replaceAll(idOf("0"), idOf(end))
          const found = recorded(new Map([...recordedV1()].map(([path, text]) => [renamed(path), renamed(text)])))
          const { read } = yield* reader(found, [{ ...inspected(), id: idOf(end) }])
          return { read, times: () => found.reads.get(`/proc/${hostPid}/mountinfo`) ?? 0 }
        })
      )
      yield* Effect.forEach(due, ({ read }) => read(target, { details: "fresh" }))
      const seconds: Array<ReadonlyArray<number>> = due.map(() => [])
      for (let second = 1; second <= 20; second++) {
        yield* TestClock.adjust("1 second")
        for (const [index, { read, times }] of due.entries()) {
          const before = times()
          yield* read(target)
          if (times() > before) seconds[index] = [...(seconds[index] ?? []), second]
        }
      }
      assert.deepStrictEqual(seconds, [
        [10, 20],
        [8, 18],
        [5, 15]
      ])
    })
  )

  it.effect("add up the container's own bounded file systems, each once", () =>
    Effect.gen(function* () {
      const { read } = yield* reader(host())
      const { values } = derive(target, undefined, yield* read(target))
      assert.deepStrictEqual([values.mountUsedBytes, values.mountLimitBytes], [1001, 10_010])
    })
  )

  it.effect("walk the writable layer only where asked for", () =>
    Effect.gen(function* () {
      const { read } = yield* reader(host())
      assert.strictEqual((yield* read(target)).details?.writableLayerBytes, "not-requested")
      // There is none at the recorded place on this machine.
      assert.strictEqual((yield* read(target, { details: "fresh" })).details?.writableLayerBytes, "not-reported")
      assert.strictEqual((yield* read(target)).details?.writableLayerBytes, "not-requested")
      const paced = yield* reader(host(), [inspected()], { writableLayerEvery: "1 minute" })
      assert.strictEqual((yield* paced.read(target)).details?.writableLayerBytes, "not-reported")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* paced.read(target)).details?.writableLayerBytes, "not-reported")
    })
  )

  it.effect("are absent with a reason where a part may not be seen", () =>
    Effect.gen(function* () {
      const found = host()
      found.refused.set("/proc/8840/fd", "EACCES")
      found.refused.set(`/proc/${hostPid}/root/volume/again`, "EACCES")
      const { read } = yield* reader(found)
      const { absent, values } = derive(target, undefined, yield* read(target))
      assert.deepStrictEqual([absent.openFiles, absent.mountUsedBytes], ["permission-denied", "permission-denied"])
      assert.strictEqual(values.processes, 2)
      found.refused.set(`/proc/${hostPid}/mountinfo`, "EACCES")
      const again = yield* read(target, { details: "fresh" })
      assert.strictEqual(again.details?.mountLimitBytes, "permission-denied")
    })
  )

  it.effect("count a process that ended meanwhile for nothing, and list where the kernel does not count", () =>
    Effect.gen(function* () {
      const found = host()
      found.sizes.delete("/proc/8840/fd")
      const { read } = yield* reader(found)
      assert.strictEqual((yield* read(target)).details?.openFiles, 3)
      found.sizes.set(`/proc/${hostPid}/fd`, 0)
      for (const name of ["0", "1", "2", "3"]) found.texts.set(`/proc/8840/fd/${name}`, "")
      assert.strictEqual((yield* read(target, { details: "fresh" })).details?.openFiles, 4)
    })
  )

  it.effect("have no bounded file system where there is none", () =>
    Effect.gen(function* () {
      const found = host()
      found.texts.set(`/proc/${hostPid}/mountinfo`, "116 83 0:46 / / rw - overlay overlay rw,upperdir=/u\n")
      const { read } = yield* reader(found)
      assert.strictEqual((yield* read(target)).details?.mountLimitBytes, "no-limit")
    })
  )
})

describe("CgroupSource, of nested cgroups", () => {
  it.effect("gives up counting the processes of too many", () =>
    Effect.gen(function* () {
      const host = recorded(recordedV2())
      for (let index = 0; index < 70; index++) host.texts.set(v2File(`c${index}/cgroup.procs`), "")
      const { read } = yield* reader(host)
      const { absent, values } = derive(target, undefined, yield* read(target))
      assert.deepStrictEqual([absent.processes, absent.threads], ["too-costly", "too-costly"])
      assert.strictEqual(values.pids, 4)
    })
  )
})
