/**
 * How much of its limits a sandbox uses. Processor and memory are the engine's figures; disk is the workspace's file system,
 * asked through this machine's /proc, or by `df` inside where the engine is elsewhere. Absent is what nobody told.
 */
import type { ContainerStats } from "@sbx/engine/Engine"
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import type { Observation, Thresholds } from "../HealthCheck.ts"
import type { SandboxContext } from "./execStart.ts"
import { workspaceUse } from "./hostCgroup.ts"
import { probe } from "./probeExec.ts"

/** Percent of the limit. */
export interface ResourceUse {
  readonly cpu: number | undefined
  readonly memory: number | undefined
  readonly disk: number | undefined
}

/** What the next reading needs of this one: processor time is a difference. */
export interface CpuMark {
  readonly usageNanos: number
  readonly atMillis: number
}

type ReadError = CallError | ObjectNotFound | EngineConflict | InvalidRequest

export const read = Effect.fnUntraced(function* (
  context: SandboxContext,
  before: CpuMark | undefined
): Effect.fn.Return<{ readonly use: ResourceUse; readonly mark: CpuMark | undefined }, ReadError> {
  const stats = yield* context.engine.statsContainer(context.containerId())
  const disk = yield* readDisk(context)
  if (stats === "absent") return { use: { cpu: undefined, memory: undefined, disk }, mark: undefined }
  const mark = stats.cpu && { usageNanos: stats.cpu.usageNanos, atMillis: stats.readAtMillis }
  const { limits, loosening } = context.spec
  const cpu = loosening.noCpuLimit === true ? undefined : cpuPercent(before, mark, limits.cpus)
  return { use: { cpu, memory: memoryPercent(stats.memory), disk }, mark }
})

/** Absent for the first reading, and when the clock or the counter went back, as after a restart. */
export const cpuPercent = (
  before: CpuMark | undefined,
  after: CpuMark | undefined,
  cpus: number
): number | undefined => {
  if (before === undefined || after === undefined) return undefined
  const nanos = (after.atMillis - before.atMillis) * 1e6 * cpus
  const used = after.usageNanos - before.usageNanos
  return nanos > 0 && used >= 0 ? (100 * used) / nanos : undefined
}

/** Without file pages that the kernel drops before it kills, as the engine's own `stats` command counts. */
export const memoryPercent = (memory: ContainerStats["memory"]): number | undefined =>
  memory?.limitBytes === undefined
    ? undefined
    : (100 * Math.max(0, memory.usageBytes - (memory.inactiveFileBytes ?? 0))) / memory.limitBytes

const readDisk = Effect.fnUntraced(function* (
  context: SandboxContext
): Effect.fn.Return<number | undefined, ReadError> {
  const { path } = context.spec.workspace
  const { state } = yield* context.engine.inspectContainer(context.containerId())
  const known = state.hostPid === undefined ? undefined : workspaceUse(context.containerId(), state.hostPid, path)
  if (known !== undefined) return known
  const { stdout } = yield* probe(context, ["df", "-Pk", path])
  return parseDf(stdout)
})

/** The `Capacity` column of POSIX df, which rounds up. */
export const parseDf = (text: string): number | undefined => {
  const percent = /\s(\d+)%\s/.exec(text.trim().split("\n").at(-1) ?? "")?.[1]
  return percent === undefined ? undefined : Number(percent)
}

/** The worst of what is known. */
export const judge = (use: ResourceUse, limits: Thresholds): Observation => {
  const parts = (["cpu", "memory", "disk"] as const).flatMap((name) => {
    const percent = use[name]
    if (percent === undefined) return []
    const { warn, critical } = limits[name]
    const level = percent >= critical ? 2 : percent >= warn ? 1 : 0
    return [{ level, text: `${name} ${Math.round(percent)} %` }]
  })
  if (parts.length === 0) return { level: "unknown", detail: "the engine tells no figures" }
  const worst = Math.max(...parts.map(({ level }) => level))
  return {
    level: worst === 2 ? "critical" : worst === 1 ? "warn" : "ok",
    detail: parts.map(({ text }) => text).join(", ")
  }
}
