/**
 * The pure part of the cpu stress: how much cpu it can add to a target, how its sidecar is limited to that, and which
 * reading proves it. Nothing here reads or waits.
 */
import type { Evidence, Measurement } from "../Evidence.ts"
import { compare } from "../Evidence.ts"

/** What is known before the fault. */
export interface CpuRoom {
  /** Cores that the fault asks for. */
  readonly wanted: number
  /** The target's quota in cores; absent when it has none. */
  readonly limit: number | undefined
  readonly hostCpus: number
}

/** Cores that the fault could use if the target did nothing. */
export const reachable = (room: CpuRoom): number => Math.min(room.wanted, room.limit ?? room.hostCpus, room.hostCpus)

/**
 * Quota of the sidecar, cores. Absent when the target's own quota or the number of workers is the bound: cgroup v1 refuses a
 * child quota above its parent's (EINVAL), and the engine one above the host's cores.
 */
export const sidecarQuota = (room: CpuRoom, loadPercent: number): number | undefined =>
  loadPercent < 100 && room.wanted < Math.min(room.limit ?? room.hostCpus, room.hostCpus) ? room.wanted : undefined

/** Below this the target's usage cannot rise visibly: it is at its quota already. */
const visibleCores = 0.1

/**
 * What has to be read for the fault to count as active. Where the target has room, its own usage has to rise by half of what is
 * reachable. Where it is at its quota already, usage cannot rise, so the sidecar has to take a fifth of what is reachable
 * from it; its control is zero, because it did not exist.
 */
export const requirement = (
  baselineCores: number,
  room: CpuRoom
): { readonly metric: "targetCpuCores" | "sidecarCpuCores"; readonly threshold: number } => {
  const all = reachable(room)
  const free = Math.min(all, (room.limit ?? room.hostCpus) - baselineCores)
  return free >= Math.max(visibleCores, all / 4)
    ? { metric: "targetCpuCores", threshold: baselineCores + free / 2 }
    : { metric: "sidecarCpuCores", threshold: all / 5 }
}

/** Evidence that the fault bit. Throttling is listed where it rose; it is not required, as an unlimited target has none. */
export const judgeInjected = (
  control: { readonly cores: Measurement; readonly throttled: Measurement | undefined },
  observed: {
    readonly target: Measurement
    readonly sidecar: Measurement
    readonly throttled: Measurement | undefined
  },
  room: CpuRoom
): ReadonlyArray<Evidence> => {
  const { metric, threshold } = requirement(control.cores.value, room)
  const rise =
    metric === "targetCpuCores"
      ? compare(control.cores, observed.target, "at-least", threshold)
      : compare({ ...observed.sidecar, value: 0 }, observed.sidecar, "at-least", threshold)
  const { throttled } = observed
  return control.throttled !== undefined && throttled !== undefined && throttled.value > control.throttled.value
    ? [rise, compare(control.throttled, throttled, "at-least", control.throttled.value)]
    : [rise]
}

/** Evidence that it is over: usage is back below the point that proved it. Only where usage rose. */
export const judgeReverted = (control: Measurement, observed: Measurement, room: CpuRoom): ReadonlyArray<Evidence> => {
  const { metric, threshold } = requirement(control.value, room)
  return metric === "targetCpuCores" ? [compare(control, observed, "at-most", threshold)] : []
}
