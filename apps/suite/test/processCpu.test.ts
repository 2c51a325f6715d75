import { assert, describe, it } from "vitest"
import { spawnSync } from "node:child_process"
import { cpuMillis, engineProcesses } from "../bench/internal/processCpu.ts"

describe("cpu time of processes", () => {
  it("is the kernel's own figure for this process", () => {
    const own = () => {
      const { system, user } = process.cpuUsage()
      return (system + user) / 1000
    }
    const before = { kernel: cpuMillis([process.pid]) ?? Number.NaN, own: own() }
    while (own() - before.own < 100) continue
    const grown = (cpuMillis([process.pid]) ?? Number.NaN) - before.kernel
    // Both ends are rounded to ticks of 10 ms, user and system time apart.
    assert.approximately(grown, own() - before.own, 41)
  })

  it("is nothing, and not zero, for a process that is gone", () => {
    const { pid } = spawnSync("true")
    assert.isUndefined(cpuMillis([pid]))
    assert.isUndefined(cpuMillis([process.pid, pid]))
  })

  it("is asked of no process for an engine that is not on this machine", () => {
    assert.deepStrictEqual(engineProcesses({ kind: "explicit", address: "tcp://192.0.2.1:2375" }), [])
    assert.deepStrictEqual(engineProcesses({ kind: "explicit", address: "unix:///nobody/listens/here.sock" }), [])
  })
})
