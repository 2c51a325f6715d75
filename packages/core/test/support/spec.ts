/** A plain hardened spec. */
import type { SandboxSpec } from "../../src/SandboxSpec.ts"

export const spec: SandboxSpec = {
  image: "tiny",
  command: ["sleep", "infinity"],
  env: {},
  workingDir: "/workspace",
  hostname: "sandbox",
  limits: {
    cpus: 0.5,
    memoryBytes: 256 * 1024 ** 2,
    pids: 128,
    diskBytes: 64 * 1024 ** 2,
    diskInodes: 4096,
    openFiles: 1024,
    shmBytes: 16 * 1024 ** 2,
    tmpBytes: 64 * 1024 ** 2
  },
  workspace: { kind: "disk", path: "/workspace" },
  network: "none",
  labels: {},
  stopGraceMillis: 2000,
  loosening: {}
}
