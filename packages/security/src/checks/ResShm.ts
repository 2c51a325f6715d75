/** /dev/shm is a tmpfs of its own whose size is charged to memory only when it is used. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { held, notApplicable } from "../CheckVerdict.ts"
import { atMost } from "../internal/cgroupLimit.ts"
import { isReadOnly, mountAt, mountInfoProbe, mounts, sizeOf } from "../internal/mountInfo.ts"

export const resShm: BoundaryCheck = {
  id: "RES-SHM",
  category: "limits",
  layer: "structure",
  severity: "low",
  maps: { mitre: ["T1499"], cis: [] },
  description: "Shared memory is limited to what was declared.",
  probes: [mountInfoProbe],
  judge: judging(function* (evidence, expected) {
    const shm = mountAt(yield* mounts(evidence), "/dev/shm")
    if (shm === undefined) return notApplicable("there is no /dev/shm")
    if (isReadOnly(shm)) return held("/dev/shm is read-only")
    return atMost(sizeOf(shm) ?? Number.POSITIVE_INFINITY, expected.shmBytes ?? expected.memoryBytes, "/dev/shm bytes")
  }),
  weakenings: ["largeShm"]
}
