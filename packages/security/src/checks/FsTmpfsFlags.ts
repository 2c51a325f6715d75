/** A writable tmpfs without a size may take half of the host's memory; without nosuid and nodev it carries privileges. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import type { MountEntry } from "../internal/mountInfo.ts"
import { isReadOnly, mountInfoProbe, mounts, sizeOf } from "../internal/mountInfo.ts"

/** The engine's own: /dev holds the device nodes, /sys/fs/cgroup only mount points. */
const engineOwn = new Set(["/dev", "/sys/fs/cgroup"])

const faults = (entry: MountEntry): ReadonlyArray<string> => [
  ...["nosuid", "nodev"].filter((flag) => !entry.options.includes(flag)).map((flag) => `${entry.target} lacks ${flag}`),
  ...(sizeOf(entry) === undefined ? [`${entry.target} has no size`] : [])
]

export const fsTmpfsFlags: BoundaryCheck = {
  id: "FS-TMPFS-FLAGS",
  category: "filesystem",
  layer: "structure",
  severity: "medium",
  maps: { mitre: ["T1548.001", "T1499"], cis: [] },
  description: "Every writable tmpfs is bounded, nosuid and nodev.",
  probes: [mountInfoProbe],
  judge: judging(function* (evidence) {
    const writable = (yield* mounts(evidence)).filter(
      (entry) => entry.type === "tmpfs" && entry.root === "/" && !isReadOnly(entry) && !engineOwn.has(entry.target)
    )
    const wrong = writable.flatMap(faults)
    return wrong.length > 0
      ? breached(wrong.join("; "))
      : held(writable.map((entry) => `${entry.target} ${sizeOf(entry)} bytes`).join("; ") || "no writable tmpfs")
  }),
  weakenings: ["looseTmpfs"]
}
