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

/** Below this a target's usage cannot be seen to rise: it is at its quota already. */
const visibleCores = 0.1

export interface Requirement {
  /** Whether the target's own usage can rise. */
  readonly rises: boolean
  /** Cores that the fault has to be seen to use. */
  readonly cores: number
}

/**
 * What the fault has to be seen to use: a fifth of what is free for it, so that a busy host, which gives every cgroup less than
 * its quota, does not hide it, and at least twice what an idle container uses. A target at its quota cannot use more: there
 * the fault has to take a tenth of it.
 */
export const requirement = (baselineCores: number, room: CpuRoom): Requirement => {
  const all = reachable(room)
  const free = Math.min(all, (room.limit ?? room.hostCpus) - baselineCores)
  return free >= Math.max(visibleCores, all / 4)
    ? { rises: true, cores: Math.max(0.05, free / 5) }
    : { rises: false, cores: Math.max(0.02, all / 10) }
}

/**
 * Evidence that the fault bit: the target's usage rose above the control, and the sidecar, which did not exist then, used that
 * much. Either alone could be the target's own doing, or a sidecar in the wrong place. Throttling is listed where it rose; it
 * is not required, as a target without a quota has none.
 */
export const judgeInjected = (
  control: { readonly cores: Measurement; readonly throttled: Measurement | undefined },
  observed: {
    readonly target: Measurement
    readonly sidecar: Measurement
    readonly throttled: Measurement | undefined
  },
  room: CpuRoom
): ReadonlyArray<Evidence> => {
  const { cores, rises } = requirement(control.cores.value, room)
  const evidence = [compare({ ...observed.sidecar, value: 0 }, observed.sidecar, "at-least", cores)]
  if (rises) evidence.unshift(compare(control.cores, observed.target, "at-least", control.cores.value + cores))
  const { throttled } = observed
  if (control.throttled !== undefined && throttled !== undefined && throttled.value > control.throttled.value)
    evidence.push(compare(control.throttled, throttled, "at-least", control.throttled.value))
  return evidence
}

/** Evidence that it is over: usage is back below the point that proved it. None where usage could not rise. */
export const judgeReverted = (control: Measurement, observed: Measurement, room: CpuRoom): ReadonlyArray<Evidence> => {
  const { cores, rises } = requirement(control.value, room)
  return rises ? [compare(control, observed, "at-most", control.value + cores)] : []
}
