/** Limits as cgroup v2 shows them (cgroup-v2.rst): the recording is of a v1 engine, so its files are replaced here. */
import { assert, describe, it } from "@effect/vitest"
import { judge } from "../src/BoundaryCheck.ts"
import { boundaryCheck } from "../src/BoundaryChecks.ts"
import type { Answer } from "../src/Evidence.ts"
import { golden, hardened } from "./support/golden.ts"

const unified = (files: Readonly<Record<string, string>>) => {
  const answers = new Map<string, Answer>(hardened.answers)
  for (const key of answers.keys()) if (key.includes("/sys/fs/cgroup/")) answers.set(key, { _tag: "Refused", errno: 2 })
  for (const [name, content] of Object.entries(files))
    answers.set(`user: read /sys/fs/cgroup/${name}`, { _tag: "Text", lines: [content], complete: true })
  return { ...hardened, answers }
}

const closed = {
  "memory.max": "268435456",
  "memory.swap.max": "0",
  "pids.max": "128",
  "cpu.max": "50000 100000"
}

const verdict = (id: string, files: Readonly<Record<string, string>>) => {
  const check = boundaryCheck(id)
  return check === undefined ? undefined : judge(check, unified(files), golden.expected)._tag
}

describe("on cgroup v2", () => {
  it.each(["RES-MEM", "RES-SWAP", "RES-PIDS", "RES-CPU"])("%s holds at the declared limit", (id) => {
    assert.strictEqual(verdict(id, closed), "Held")
  })

  it.each([
    ["RES-MEM", "memory.max", "max"],
    ["RES-MEM", "memory.max", "268439552"],
    ["RES-SWAP", "memory.swap.max", "max"],
    ["RES-SWAP", "memory.swap.max", "4096"],
    ["RES-PIDS", "pids.max", "max"],
    ["RES-CPU", "cpu.max", "max 100000"],
    ["RES-CPU", "cpu.max", "100000 100000"]
  ])("%s is breached by %s %s", (id, file, content) => {
    assert.strictEqual(verdict(id, { ...closed, [file]: content }), "Breached")
  })

  it.each(["RES-MEM", "RES-PIDS", "RES-CPU"])("%s is not run where its file reads as nonsense", (id) => {
    const nonsense = Object.fromEntries(Object.keys(closed).map((file) => [file, "many"]))
    assert.strictEqual(verdict(id, nonsense), "NotRun")
  })

  it("RES-OOMKILL has nothing to ask", () => {
    assert.strictEqual(verdict("RES-OOMKILL", closed), "NotApplicable")
  })
})
