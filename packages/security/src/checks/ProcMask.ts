/**
 * Files of /proc and /sys that tell about the host are covered by the container's own null device or an empty tmpfs. The cover
 * must be that very device: a mask that was redirected exposes a writable file (CVE-2025-31133).
 */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notApplicable } from "../CheckVerdict.ts"
import { text } from "../Evidence.ts"
import type { MountEntry } from "../internal/mountInfo.ts"
import { mountAt, mountInfoProbe, mounts } from "../internal/mountInfo.ts"
import { listDirectory } from "../Probe.ts"

const proc = listDirectory("/proc")
const sys = listDirectory("/sys")
/** The runtime specification's defaults as engines set them. */
const names = ["acpi", "asound", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"]

const isMask = (entry: MountEntry | undefined): boolean =>
  entry?.type === "tmpfs" && (entry.root === "/null" || (entry.root === "/" && entry.options.includes("ro")))

export const procMask: BoundaryCheck = {
  id: "PROC-MASK",
  category: "filesystem",
  layer: "structure",
  severity: "high",
  maps: { mitre: ["T1082"], cis: [] },
  description: "Host details in /proc and /sys are masked.",
  sharedKernelOnly: true,
  probes: [mountInfoProbe, proc, sys],
  judge: judging(function* (evidence) {
    const entries = yield* mounts(evidence)
    const listed = yield* text(evidence, proc)
    const firmware = (yield* text(evidence, sys)).includes("firmware") ? ["/sys/firmware"] : []
    const present = [...names.filter((name) => listed.includes(name)).map((name) => `/proc/${name}`), ...firmware]
    const bare = present.filter((path) => !isMask(mountAt(entries, path)))
    if (bare.length > 0) return breached(`not masked: ${bare.join(", ")}`)
    return present.length > 0
      ? held(`masked: ${present.join(", ")}`)
      : notApplicable(`this kernel has neither /sys/firmware nor ${names.join(", ")}`)
  }),
  weakenings: ["unmaskedPaths"]
}
