// @effect-diagnostics globalTimers:off -- polls the machine
/** Kills runs as a machine does: the process alone, its whole group, or both it and the watchdog that would clear up after it. */
import { readdirSync, readFileSync } from "node:fs"
import { assert } from "@effect/vitest"
import type { Started } from "./commandLine.ts"

const text = (file: string): string => {
  try {
    return readFileSync(file, "latin1")
  } catch {
    // It ended between listing and reading.
    return ""
  }
}

/** Pids of the watchdogs that a process started: proc_pid_stat(5), the second field after the command name is the parent. */
const watchdogsOf = (pid: number): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const stat = text(`/proc/${name}/stat`)
      const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]
      return parent === String(pid) && text(`/proc/${name}/cmdline`).includes("watchdogMain")
    })
    .map(Number)

const pidOf = ({ child }: Started): number => {
  assert.isDefined(child.pid)
  return child.pid
}

export const killed = {
  /** Also the group's other processes; the run must have been started as one. */
  group: async (started: Started): Promise<number> => {
    const pid = pidOf(started)
    // Without it, the run had ended before.
    if (started.child.exitCode === null) process.kill(-pid, "SIGKILL")
    await started.ended
    return pid
  },
  alone: async (started: Started): Promise<number> => {
    const pid = pidOf(started)
    started.child.kill("SIGKILL")
    await started.ended
    return pid
  },
  /** Stopped first, or it would start another watchdog. */
  withWatchdog: async (started: Started): Promise<number> => {
    const pid = pidOf(started)
    process.kill(pid, "SIGSTOP")
    const watchdogs = watchdogsOf(pid)
    assert.lengthOf(watchdogs, 1)
    for (const watchdog of watchdogs) process.kill(watchdog, "SIGKILL")
    process.kill(pid, "SIGKILL")
    await started.ended
    return pid
  }
}

/** Polls until nothing is seen any more, at most for so long; resolves to what is left and to how long it took. */
export const untilNothing = async (
  see: () => Promise<ReadonlyArray<string>> | ReadonlyArray<string>,
  withinMillis: number
): Promise<{ readonly left: ReadonlyArray<string>; readonly afterMillis: number }> => {
  const startedAt = performance.now()
  for (;;) {
    const left = await see()
    const afterMillis = Math.round(performance.now() - startedAt)
    if (left.length === 0 || afterMillis > withinMillis) return { left, afterMillis }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
