/** Keyrings are not namespaced without a user namespace: one uid, one keyring, however many containers. */
import { gateCheck } from "../internal/syscallGate.ts"
import { syscall } from "../Probe.ts"

export const krnKeyring = gateCheck({
  id: "KRN-KEYRING",
  category: "container",
  severity: "high",
  maps: { mitre: ["T1552"], cis: [] },
  description: "Kernel keyrings, which are shared per uid across containers, are out of reach.",
  sharedKernelOnly: true,

  gates: [
    { probe: syscall("keyctl", [0, -3, 0]), gate: ["EPERM"], open: ["ENOKEY"], absent: ["ENOSYS"] },
    { probe: syscall("add_key", [0, 0, 0, 0, 0]), gate: ["EPERM"], open: ["EFAULT", "EINVAL"], absent: ["ENOSYS"] },
    { probe: syscall("request_key", [0, 0, 0, 0]), gate: ["EPERM"], open: ["EFAULT", "EINVAL"], absent: ["ENOSYS"] }
  ],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
