/**
 * The sandbox that weakened ones are one step away from: core's hardened profile, without a volume of its own, so that making
 * many of them costs and leaves nothing. Its workspace is a bounded tmpfs.
 */
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import type { EngineInfo } from "@sbx/engine/Engine"
import { containerSpec } from "@sbx/core/HardenedProfile"
import type { SandboxSpec } from "@sbx/core/SandboxSpec"
import type { Expectation } from "./Expectation.ts"
import { fromSpec } from "./Expectation.ts"

export interface HardenedReference {
  /** `name` is completed for each container made from it. */
  readonly spec: ContainerSpec
  /** What its checks are judged against. */
  readonly expected: Expectation
}

/**
 * A weakened sandbox never runs the owner's command, nor gets its environment: only our probes. It ends by itself, should we die.
 */
const idle = ["sleep", "120"]

/** Below the range of uids that sandboxes lease, so that per-uid limits are not shared with them. */
const uid = 65532

/** The reference for a sandbox's spec: same image and limits; no loosening, no network. The image must have `sleep`. */
export const fromSandbox = (spec: SandboxSpec, info: EngineInfo): HardenedReference => {
  const closed: SandboxSpec = { ...spec, command: idle, env: {}, labels: {}, network: "none", loosening: {} }
  const made = containerSpec(closed, {
    name: "sbx-control",
    labels: {},
    uid,
    volume: "",
    cgroupVersion: info.cgroupVersion
  })
  const { diskBytes, diskInodes } = spec.limits
  const workspace = `rw,nosuid,nodev,size=${diskBytes},nr_inodes=${diskInodes},uid=${uid},gid=${uid},mode=0700`
  return {
    spec: {
      ...made,
      host: { ...made.host, mounts: [], tmpfs: { ...made.host?.tmpfs, [spec.workspace.path]: workspace } }
    },
    expected: fromSpec(closed, info)
  }
}
