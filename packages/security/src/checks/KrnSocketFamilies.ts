/** AF_VSOCK (40) talks to the hypervisor past every network namespace; AF_ALG (38) is kernel crypto. moby blocks them since 2022-12 and 2026-04. */
import { gateCheck } from "../internal/syscallGate.ts"
import { openSocket } from "../Probe.ts"

export const krnSocketFamilies = gateCheck({
  id: "KRN-SOCKFAM",
  category: "network",
  severity: "high",
  maps: { mitre: ["T1611", "T1068"], cis: [] },
  description: "Socket families that reach the hypervisor or little-tested kernel code are refused.",
  sharedKernelOnly: true,

  gates: [
    {
      probe: openSocket(40, 1, 0),
      gate: ["EPERM"],
      open: ["ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "ENODEV"],
      absent: ["EAFNOSUPPORT"]
    },
    {
      probe: openSocket(38, 5, 0),
      gate: ["EPERM"],
      open: ["ESOCKTNOSUPPORT", "EPROTONOSUPPORT"],
      absent: ["EAFNOSUPPORT"]
    }
  ],
  weakenings: ["seccompUnconfined", "seccompAllowAll"]
})
