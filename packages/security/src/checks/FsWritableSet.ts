/** What may be written is what was declared: every writable mount is the engine's own or in the expectation. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { isReadOnly, mountInfoProbe, mounts, show } from "../internal/mountInfo.ts"

/** Writable in every container by the runtime specification; bounded by their own checks. */
const standard = new Set(["/dev", "/dev/shm", "/dev/mqueue", "/dev/pts", "/dev/console", "/proc", "/sys/fs/cgroup"])

export const fsWritableSet: BoundaryCheck = {
  id: "FS-WRITABLE-SET",
  category: "filesystem",
  layer: "structure",
  severity: "medium",
  maps: { mitre: ["T1565"], cis: [] },
  description: "Only declared places are writable.",
  probes: [mountInfoProbe],
  judge: judging(function* (evidence, expected) {
    const writable = (yield* mounts(evidence)).filter((entry) => !isReadOnly(entry))
    const undeclared = writable.filter(
      (entry) => !standard.has(entry.target) && !expected.writablePaths.includes(entry.target) && entry.root !== "/null"
    )
    return undeclared.length > 0
      ? breached(undeclared.map(show).join("; "))
      : held(writable.flatMap((entry) => (entry.root === "/null" ? [] : [entry.target])).join(", "))
  }),
  weakenings: ["writableRoot", "looseTmpfs"]
}
