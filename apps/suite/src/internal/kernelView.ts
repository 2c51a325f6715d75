/**
 * What the kernel tells a shell inside a sandbox of the sandbox's own cgroup, version 1 or 2 (kernel documentation: cgroup-v1, cgroup-v2):
 * the second opinion on what a monitor says from outside. What the kernel does not show there cannot be judged; it is never zero.
 */
import { Undecidable } from "@sbx/core/Expect"
import type { Sandbox } from "@sbx/core/SandboxHandle"
import * as Effect from "effect/Effect"

export interface KernelView {
  /** Cpu time of the whole cgroup since it was made, nanoseconds. */
  readonly cpuNanos: number
  /** Scheduler periods in which the quota held it back. */
  readonly throttledPeriods: number
  /** Charged memory without inactive page cache. */
  readonly memoryBytes: number
  /** Tasks, without the shell that reads. */
  readonly tasks: number
  /** When it was read, seconds since boot, exact to 10 ms. */
  readonly uptimeSeconds: number
}

const files = [
  "cpuacct/cpuacct.usage",
  "cpu/cpu.stat",
  "memory/memory.usage_in_bytes",
  "memory/memory.stat",
  "pids/pids.current",
  "cpu.stat",
  "memory.current",
  "memory.stat",
  "pids.current"
]

/** Prints `<file> <line>` a line. Built-ins of a POSIX shell only: no task and little cpu is its own. */
const script = [
  "cd /sys/fs/cgroup || exit 1",
  `for f in ${files.join(" ")}; do`,
  'if [ -r "$f" ]; then while read -r line; do echo "$f $line"; done < "$f"; fi',
  "done",
  'read -r up idle < /proc/uptime; echo "uptime $up"'
].join("\n")

/** The view, or the names of what is not shown. */
export const parse = (text: string): KernelView | ReadonlyArray<string> => {
  const found = new Map<string, number>()
  for (const line of text.split("\n")) {
    const words = line.trim().split(" ")
    const value = words.pop()
    if (value !== undefined && /^\d+(\.\d+)?$/.test(value)) found.set(words.join(" "), Number(value))
  }
  const version1 = found.has("memory/memory.usage_in_bytes")
  const missing: Array<string> = []
  const one = (v1: string, v2: string): number => {
    const name = version1 ? v1 : v2
    const value = found.get(name)
    if (value === undefined) missing.push(name)
    return value ?? Number.NaN
  }
  const charged = one("memory/memory.usage_in_bytes", "memory.current")
  const inactive = one("memory/memory.stat total_inactive_file", "memory.stat inactive_file")
  const view: KernelView = {
    cpuNanos: one("cpuacct/cpuacct.usage", "cpu.stat usage_usec") * (version1 ? 1 : 1000),
    throttledPeriods: one("cpu/cpu.stat nr_throttled", "cpu.stat nr_throttled"),
    memoryBytes: Math.max(0, charged - inactive),
    tasks: one("pids/pids.current", "pids.current") - 1,
    uptimeSeconds: one("uptime", "uptime")
  }
  return missing.length === 0 ? view : missing
}

const isMissing = (parsed: KernelView | ReadonlyArray<string>): parsed is ReadonlyArray<string> => Array.isArray(parsed)

/** Reads it by an exec, whose own start costs the sandbox some cpu. */
export const read = Effect.fnUntraced(function* (sandbox: Pick<Sandbox, "exec">) {
  const { stderr, stdout } = yield* sandbox.exec(["sh", "-c", script])
  const parsed = parse(stdout)
  if (!isMissing(parsed)) return parsed
  const detail = `the kernel does not show ${parsed.join(", ")}${stderr === "" ? "" : ` (${stderr.trim()})`}`
  return yield* new Undecidable({ what: "the monitor by the kernel's own figures inside", detail })
})

/** Cores in use between two views. */
export const cores = (before: KernelView, after: KernelView): number =>
  (after.cpuNanos - before.cpuNanos) / 1e9 / (after.uptimeSeconds - before.uptimeSeconds)
