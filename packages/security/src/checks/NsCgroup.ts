/** The host's cgroup paths are not visible; engines default to the host's namespace on cgroup v1. */
import { namespaceCheck } from "../internal/namespaceCheck.ts"

export const nsCgroup = namespaceCheck("cgroup", {
  id: "NS-CGROUP",
  category: "container",
  severity: "medium",
  maps: { mitre: ["T1082"], cis: ["5.25"] },
  description: "Cgroups live in a namespace that is not the host's.",
  weakenings: ["hostCgroupns"]
})
