import { assert, describe, it } from "@effect/vitest"
import { choose, describeSelector } from "../src/faults/ProcessKill.ts"
import { containerNamespace, isAlive, processesIn, signal } from "../src/internal/hostProc.ts"
import { readlinkSync } from "node:fs"
import process from "node:process"

const one = (pid: number, command: string, program = command) => ({
  hostPid: 1000 + pid,
  pid,
  command,
  program,
  startTime: "1"
})

const processes = [one(1, "sh"), one(7, "sleep"), one(8, "node-worker", "node"), one(9, "sleep")]

describe("choose", () => {
  it.each([
    { select: { _tag: "Init" as const }, pids: [1], text: "PID 1" },
    { select: { _tag: "Pid" as const, pid: 8 }, pids: [8], text: "pid 8" },
    { select: { _tag: "Name" as const, name: "sleep" }, pids: [7, 9], text: "processes named sleep" },
    { select: { _tag: "Name" as const, name: "node" }, pids: [8], text: "processes named node" },
    { select: { _tag: "Name" as const, name: "nginx" }, pids: [], text: "processes named nginx" }
  ])("finds $text", ({ pids, select, text }) => {
    assert.deepStrictEqual(
      choose(select, processes).map((found) => found.pid),
      pids
    )
    assert.strictEqual(describeSelector(select), text)
  })
})

describe("host processes", () => {
  const own = readlinkSync("/proc/self/ns/pid")
  const self = processesIn(own).find((candidate) => candidate.hostPid === process.pid)

  it("are never taken for a container's", () => {
    assert.isUndefined(containerNamespace("", process.pid))
    assert.isUndefined(containerNamespace("c0ffee", 1))
    assert.isUndefined(containerNamespace("c0ffee", undefined))
  })

  it("are not signalled when they are others than were found", () => {
    assert.isDefined(self)
    assert.isTrue(isAlive(self))
    let signalled = 0
    const count = () => void signalled++
    process.on("SIGHUP", count)
    try {
      assert.isFalse(signal({ ...self, startTime: "0" }, own, "SIGHUP"))
      assert.isFalse(signal(self, "pid:[1]", "SIGHUP"))
      assert.isFalse(signal({ ...self, hostPid: 2 ** 22 + 1 }, own, "SIGHUP"))
    } finally {
      process.off("SIGHUP", count)
    }
    assert.strictEqual(signalled, 0)
  })
})
