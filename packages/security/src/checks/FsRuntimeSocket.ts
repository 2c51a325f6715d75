/** A container runtime's socket is root on the host, also when it is mounted read-only. */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { textIfPresent } from "../Evidence.ts"
import { mountInfoProbe, mounts, show } from "../internal/mountInfo.ts"
import { listDirectory } from "../Probe.ts"

const directories = ["/run", "/var/run"]
const names = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "kubelet.sock", "cri-dockerd.sock"]
const listings = directories.map((directory) => ({ directory, probe: listDirectory(directory) }))

export const fsRuntimeSocket: BoundaryCheck = {
  id: "FS-RUNTIME-SOCK",
  category: "filesystem",
  layer: "structure",
  severity: "critical",
  maps: { mitre: ["T1609", "T1610", "T1552.007"], cis: ["5.32"] },
  description: "No container runtime's socket is reachable.",
  probes: [mountInfoProbe, ...listings.map((listing) => listing.probe)],
  judge: judging(function* (evidence) {
    const mounted = (yield* mounts(evidence)).filter(
      (entry) => entry.root.endsWith(".sock") || entry.target.endsWith(".sock")
    )
    if (mounted.length > 0) return breached(mounted.map(show).join("; "))
    for (const { directory, probe } of listings) {
      const found = (yield* textIfPresent(evidence, probe))?.find((name) => names.includes(name))
      if (found !== undefined) return breached(`${directory}/${found}`)
    }
    return held(`no socket mounted, none of ${names.join(", ")} in ${directories.join(", ")}`)
  }),
  weakenings: ["engineSocket"]
}
