/** Any mount of a disk file system besides the root, the engine's own small files and what was declared comes from the host. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { isPseudo, isReadOnly, mountInfoProbe, mounts, show } from "../internal/mountInfo.ts"

/** What the engine binds itself: name resolution files, and its init, which must be read-only. */
const engineFiles = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]
const initFiles = new Set(["/sbin/docker-init", "/usr/sbin/docker-init", "/run/podman-init"])

export const fsHostMount: BoundaryCheck = {
  id: "FS-HOSTMOUNT",
  category: "filesystem",
  layer: "structure",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: ["5.6"] },
  description: "No file or directory of the host is mounted inside.",
  probes: [mountInfoProbe],
  judge: judging(function* (evidence, expected) {
    const allowed = new Set(["/", ...engineFiles, ...expected.volumePaths])
    const foreign = (yield* mounts(evidence)).filter(
      (entry) => !isPseudo(entry) && !allowed.has(entry.target) && !(initFiles.has(entry.target) && isReadOnly(entry))
    )
    return foreign.length > 0
      ? breached(foreign.map(show).join("; "))
      : held(`disk mounts only at ${[...allowed].join(", ")}`)
  }),
  weakenings: ["hostBind"]
}
