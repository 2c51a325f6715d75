/**
 * Checks that a namespace is not the host's by its inode: the kernel gives its initial namespaces fixed numbers
 * (include/uapi/linux/nsfs.h). An engine that itself runs in a nested namespace is not seen by this: posture is.
 */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import { line } from "../Evidence.ts"
import { readLink } from "../Probe.ts"

/** Inodes of the initial namespaces. */
const initial = { cgroup: 4026531835, ipc: 4026531839, pid: 4026531836, uts: 4026531838 } as const

/** Fills a leaf in for one kind of namespace. */
export const namespaceCheck = (
  kind: keyof typeof initial,
  leaf: Omit<BoundaryCheck, "probes" | "judge" | "layer" | "sharedKernelOnly">
): BoundaryCheck => {
  const probe = readLink(`/proc/self/ns/${kind}`)
  return {
    ...leaf,
    layer: "structure",
    sharedKernelOnly: true,
    probes: [probe],
    judge: judging(function* (evidence) {
      const link = yield* line(evidence, probe)
      const inode = new RegExp(`^${kind}:\\[(\\d+)\\]$`).exec(link)?.[1]
      if (inode === undefined) return notRun(`/proc/self/ns/${kind} reads "${link}"`)
      return Number(inode) === initial[kind]
        ? breached(`${link} is the host's`)
        : held(`${link} is not the host's ${initial[kind]}`)
    })
  }
}
