/**
 * Network namespaces have no fixed number before Linux 6.18, so the host's is recognised by what only an engine's host has:
 * its bridges and the host ends of its containers' links.
 */
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import { judging } from "../BoundaryCheck.ts"
import { breached, held } from "../CheckVerdict.ts"
import { line } from "../Evidence.ts"
import { readLink } from "../Probe.ts"
import { interfaces, interfacesProbe } from "./NetInterfaces.ts"

const link = readLink("/proc/self/ns/net")
/** NET_NS_INIT_INO of include/uapi/linux/nsfs.h. */
const initial = "net:[4026531833]"
const engineSide = /^(docker\d|br-|veth|virbr|cni|podman\d)/

export const nsNet: BoundaryCheck = {
  id: "NS-NET",
  category: "network",
  layer: "structure",
  severity: "critical",
  maps: { mitre: ["T1611"], cis: ["5.10"] },
  description: "The network stack is not the engine's host's.",
  probes: [link, interfacesProbe],
  sharedKernelOnly: true,
  judge: judging(function* (evidence) {
    const inode = yield* line(evidence, link)
    const names = yield* interfaces(evidence)
    const foreign = names.filter((name) => engineSide.test(name))
    if (inode === initial) return breached(`${inode} is the host's`)
    return foreign.length > 0
      ? breached(`${inode} has the engine's interfaces ${foreign.join(", ")}`)
      : held(`${inode} has ${names.join(", ")}`)
  }),
  weakenings: ["hostNetwork"]
}
