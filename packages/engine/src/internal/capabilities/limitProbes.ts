/** Limits that really stop a process, each with something below the limit as a control, and read back inside. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Finding, Probe, Site } from "./probe.ts"
import { container, exec, fail, pass, shell, unknown } from "./probe.ts"

const mebibyte = 1024 * 1024
const advice =
  "Enable the controller on the engine's host (kernel command line, cgroup delegation for rootless engines): this limit is ignored."

/** The first of the files that exists: v2's name, then v1's. */
const readBack = (site: Site, id: string, ...files: ReadonlyArray<string>) =>
  Effect.map(
    shell(site, id, `for f in ${files.join(" ")}; do [ -r "$f" ] && exec cat "$f"; done; echo unreadable`),
    ({ text }) => text.replaceAll("\n", ", ")
  )

const judge = (control: number, beyond: number, stopped: (code: number) => boolean, found: string): Finding => {
  if (control !== 0) return unknown(`the control below the limit failed with ${control}`)
  return stopped(beyond) ? pass(found) : fail(`not enforced: exit code ${beyond} beyond the limit; ${found}`)
}

const memory: Probe = {
  name: "memory-limit",
  required: true,
  advice,
  look: (site) =>
    Effect.gen(function* () {
      const bytes = 16 * mebibyte
      const id = yield* container(site, { memoryBytes: bytes, memorySwapBytes: bytes })
      // dd touches a buffer of `bs` bytes.
      const touch = (size: number) => exec(site, id, ["dd", "if=/dev/zero", "of=/dev/null", `bs=${size}`, "count=1"])
      const control = yield* touch(mebibyte)
      const beyond = yield* touch(64 * mebibyte)
      const file = yield* readBack(site, id, "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
      const killed = (code: number) => code === 137
      return judge(control.exitCode, beyond.exitCode, killed, `16 MiB asked, ${file} bytes inside, 64 MiB killed`)
    })
}

const pids: Probe = {
  name: "pids-limit",
  required: true,
  advice,
  look: (site) =>
    Effect.gen(function* () {
      const limit = 10
      const id = yield* container(site, { pidsLimit: limit })
      const spawn = (count: number) =>
        shell(site, id, `i=0; while [ $i -lt ${count} ]; do sleep 2 & i=$((i+1)); done; kill $(jobs -p)`)
      const control = yield* spawn(2)
      const beyond = yield* spawn(3 * limit)
      const file = yield* readBack(site, id, "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max").pipe(
        // The shell needs a process of its own, and the sleeps are still there.
        Effect.repeat({ until: (text) => /\d/.test(text), schedule: Schedule.spaced("100 millis") })
      )
      const found = `${limit} asked, ${file} inside, fork refused beyond`
      return judge(control.exitCode, beyond.exitCode, (code) => code !== 0, found)
    })
}

const throttled = /nr_throttled (\d+)/

const cpu: Probe = {
  name: "cpu-limit",
  required: true,
  advice,
  look: (site) =>
    Effect.gen(function* () {
      const id = yield* container(site, { nanoCpus: 100_000_000 }, ["sh", "-c", "while :; do :; done"])
      const count = readBack(site, id, "/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat").pipe(
        Effect.map((text) => throttled.exec(text)?.[1])
      )
      const first = yield* count
      if (first === undefined) return unknown("cpu.stat is not readable inside")
      // An unlimited loop is never throttled, a tenth of a core is within two periods of 100 ms.
      const seen = yield* count.pipe(
        Effect.repeat({ until: (text) => Number(text) > 0, schedule: Schedule.spaced("50 millis") }),
        Effect.timeoutOption("5 seconds")
      )
      return seen._tag === "Some"
        ? pass(`0.1 cpu asked, a busy loop was throttled ${seen.value} times`)
        : fail("0.1 cpu asked, a busy loop was never throttled in 5 s")
    })
}

export const limitProbes: ReadonlyArray<Probe> = [memory, pids, cpu]
