/** System V and POSIX message queues, semaphores and shared memory of the host are out of reach. */
import { namespaceCheck } from "../internal/namespaceCheck.ts"

export const nsIpc = namespaceCheck("ipc", {
  id: "NS-IPC",
  category: "container",
  severity: "high",
  maps: { mitre: ["T1611"], cis: ["5.17"] },
  description: "Inter-process communication lives in a namespace that is not the host's.",
  weakenings: ["hostIpc"]
})
