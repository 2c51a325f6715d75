/** Pseudo file systems outside their places, or subtrees of foreign ones: the host's /proc, /sys, /dev or /run bound inside. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import type { MountEntry } from "../internal/mountInfo.ts"
import { isPseudo, mountInfoProbe, mounts, show } from "../internal/mountInfo.ts"

/** Where each pseudo file system belongs; masks are binds of the container's own /dev/null and empty tmpfs. */
const belongs = (entry: MountEntry): boolean => {
  switch (entry.type) {
    case "proc":
      return entry.target === "/proc" || entry.target.startsWith("/proc/")
    case "sysfs":
      return entry.target === "/sys"
    case "cgroup":
    case "cgroup2":
      return entry.target.startsWith("/sys/fs/cgroup")
    case "devpts":
      return entry.target === "/dev/pts" || entry.target === "/dev/console"
    case "mqueue":
      return entry.target === "/dev/mqueue"
    case "tmpfs":
      return entry.root === "/" || entry.root === "/null"
    default:
      return false
  }
}

export const fsPseudoHost: BoundaryCheck = {
  id: "FS-PSEUDO-HOST",
  category: "filesystem",
  layer: "structure",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: ["5.6"] },
  description: "No pseudo file system of the host is mounted inside.",
  probes: [mountInfoProbe],
  judge: judging(function* (evidence) {
    const pseudo = (yield* mounts(evidence)).filter(isPseudo)
    const foreign = pseudo.filter((entry) => !belongs(entry))
    return foreign.length > 0
      ? breached(foreign.map(show).join("; "))
      : held(`${pseudo.length} pseudo mounts, each in its place`)
  }),
  weakenings: ["procBind"]
}
