/** Host and domain name are the container's own. */
import { namespaceCheck } from "../internal/namespaceCheck.ts"

export const nsUts = namespaceCheck("uts", {
  id: "NS-UTS",
  category: "container",
  severity: "low",
  maps: { mitre: ["T1082"], cis: ["5.21"] },
  description: "The host name lives in a namespace that is not the host's.",
  weakenings: ["hostUts"]
})
