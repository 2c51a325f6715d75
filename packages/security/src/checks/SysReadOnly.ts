/** /sys and every cgroup hierarchy are mounted read-only: no release_agent (CVE-2022-0492), no knobs of the host's devices. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import { isReadOnly, mountInfoProbe, mounts, show } from "../internal/mountInfo.ts"

export const sysReadOnly: BoundaryCheck = {
  id: "SYS-RO",
  category: "filesystem",
  layer: "structure",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: [] },
  description: "/sys and the cgroup hierarchies are read-only.",
  probes: [mountInfoProbe],
  judge: judging(function* (evidence) {
    const kernel = (yield* mounts(evidence)).filter((entry) => ["sysfs", "cgroup", "cgroup2"].includes(entry.type))
    const writable = kernel.filter((entry) => !isReadOnly(entry))
    if (writable.length > 0) return breached(writable.map(show).join("; "))
    return kernel.length > 0
      ? held(`${kernel.length} mounts, all read-only`)
      : notRun("mountinfo shows neither /sys nor cgroups")
  }),
  weakenings: ["privileged"]
}
