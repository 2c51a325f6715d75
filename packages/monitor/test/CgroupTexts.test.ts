import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { locate, parseMounts } from "../src/internal/cgroupPaths.ts"
import * as Texts from "../src/internal/cgroupTexts.ts"
import { hostFiles } from "../src/internal/hostFiles.ts"
import { statOf } from "./recordedHost.ts"

const id = "ab".repeat(32)
const dockerCgroup = `4:memory:/docker/${id}\n3:cpu,cpuacct:/docker/${id}\n0::/\n`
const v1Mounts = [
  "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
  "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
  "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
].join("\n")

describe("locate", () => {
  it("finds controllers that are mounted together, and knows none that is not", () => {
    const cpu = { version: 1, path: `/sys/fs/cgroup/cpu,cpuacct/docker/${id}` }
    assert.deepStrictEqual<object | undefined>(locate(id, dockerCgroup, parseMounts(v1Mounts)), {
      cpu,
      cpuacct: cpu,
      memory: { version: 1, path: `/sys/fs/cgroup/memory/docker/${id}` },
      pids: undefined,
      blkio: undefined
    })
  })

  it("takes a controller from version 2 where version 1 does not have it", () => {
    const found = locate(id, `4:memory:/docker/${id}\n0::/docker/${id}\n`, parseMounts(v1Mounts))
    assert.strictEqual(found?.memory?.version, 1)
    assert.deepStrictEqual(found?.cpu, { version: 2, path: `/sys/fs/cgroup/unified/docker/${id}` })
  })

  it("looks below a hierarchy of which a part is mounted, and nowhere else", () => {
    const part = (root: string) => parseMounts(`30 23 0:26 ${root} /cg rw - cgroup2 cgroup2 rw\n`)
    const cgroup = `0::/user.slice/docker/${id}\n`
    assert.strictEqual(locate(id, cgroup, part("/user.slice"))?.cpu?.path, `/cg/docker/${id}`)
    assert.isUndefined(locate(id, cgroup, part("/system.slice"))?.cpu)
  })

  it.each(["0::/\n", "", "garbage", "0::/docker/other\n", `0::/../../docker/${id}\n`])("refuses %j", (cgroup) => {
    assert.isUndefined(locate(id, cgroup, parseMounts(v1Mounts)))
  })
})

describe("parseMounts", () => {
  it("undoes octal escapes and leaves out what is no mount", () => {
    const [mount, ...rest] = parseMounts("133 116 0:55 / /a\\040b\\134c rw,nosuid - tmpfs tmpfs rw,size=1k\nx\n\n")
    assert.deepStrictEqual<object | undefined>(mount, {
      root: "/",
      target: "/a b\\c",
      device: "0:55",
      options: ["rw", "nosuid"],
      type: "tmpfs",
      superOptions: ["rw", "size=1k"]
    })
    assert.deepStrictEqual(rest, [])
  })
})

describe("texts", () => {
  it("are numbers, limits without end, or not a number; never zero by default", () => {
    assert.deepStrictEqual(["17\n", "max\n", "9223372036854771712\n", "0"].map(Texts.number), [
      17,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      0
    ])
    for (const text of ["", "\n", "1.5", "0x10", "1 2", "nan"]) assert.isNaN(Texts.number(text), text)
  })

  it("have fields by their whole name", () => {
    const text = "total_inactive_file 5\ninactive_file 7\noom_kill\nlast 9"
    assert.deepStrictEqual(
      ["inactive_file", "total_inactive_file", "last", "file"].map((name) => Texts.field(text, name)),
      [7, 5, 9, undefined]
    )
    assert.isUndefined(Texts.field(text, "oom_kill"))
  })

  it("have no quota of garbage", () => {
    assert.isNaN(Texts.coresOfMax("50000\n"))
    assert.isNaN(Texts.coresOfQuota("x", "100000"))
    assert.strictEqual(Texts.coresOfMax("max 100000\n"), Number.POSITIVE_INFINITY)
    assert.strictEqual(Texts.coresOfMax("150000 100000\n"), 1.5)
  })

  it("have no block I/O where the kernel names no device", () => {
    assert.isUndefined(Texts.blockIoV1("Total 0\n"))
    assert.isUndefined(Texts.blockIoV2(""))
    // A device line without numbers, as the kernel prints where nothing was counted.
    assert.isUndefined(Texts.blockIoV2("254:0 \n"))
    assert.isNaN(Texts.blockIoV1("8:0 Read x\n")?.readBytes)
  })

  it("tell a process by its start, whatever its command", () => {
    assert.deepStrictEqual<object | undefined>(Texts.identity(statOf(7, 42)), { parent: 8813, startTime: "42" })
    for (const state of ["Z", "X"]) assert.isUndefined(Texts.identity(statOf(7, 42, state)))
    assert.isUndefined(Texts.identity("7 (cut"))
  })
})

describe("hostFiles", () => {
  it("reads this machine's, also longer ones than one buffer, and names the error of what it cannot", () => {
    for (const path of ["/proc/self/comm", "/proc/kallsyms", "/proc/self/mountinfo"])
      assert.strictEqual(hostFiles.readAll(path), fs.readFileSync(path, "utf8"))
    // Of short lines: some 2 MiB of them.
    for (const path of ["/proc/self/comm", "/proc/kallsyms"])
      assert.strictEqual(hostFiles.read(path), fs.readFileSync(path, "utf8"))
    assert.deepStrictEqual<unknown>(hostFiles.read("/nowhere"), { code: "ENOENT" })
    assert.deepStrictEqual<unknown>(hostFiles.read("/"), { code: "EISDIR" })
    assert.deepStrictEqual<unknown>(hostFiles.list("/proc/version"), { code: "ENOTDIR" })
    assert.deepStrictEqual<unknown>(hostFiles.usage("/nowhere"), { code: "ENOENT" })
  })
})
