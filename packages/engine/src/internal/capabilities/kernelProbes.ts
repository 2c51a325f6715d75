/**
 * Kernel features that faults and limits stand on. Tried in a network namespace that dies with the command, never in the host's;
 * where the tool is missing, read from the kernel's own configuration.
 */
import * as Effect from "effect/Effect"
import { runCommand } from "../privateEngine/command.ts"
import type { CapabilityName } from "../../EngineCapabilities.ts"
import { localObstacle, remoteness } from "./locality.ts"
import type { Finding, Probe } from "./probe.ts"
import { fail, pass, unknown } from "./probe.ts"

interface Feature {
  readonly name: CapabilityName
  readonly tool: string
  /** Run by sh inside a fresh network namespace; success is exit code 0. */
  readonly trial: string
  /** Any of these. */
  readonly options: ReadonlyArray<string>
  readonly advice: string
}

const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; "
const sh = (script: string) => runCommand("sh", ["-c", path + script])

const attempt = Effect.fnUntraced(function* (feature: Feature) {
  const there = yield* sh(`command -v ${feature.tool} && command -v unshare`)
  if (there.exitCode !== 0) return undefined
  const { exitCode, stderr } = yield* runCommand("unshare", ["--net", "--", "sh", "-c", path + feature.trial])
  return exitCode === 0
    ? pass("works in a throw-away network namespace")
    : fail(stderr.trim() || `exit code ${exitCode}`)
})

/** A feature that nobody tried is never a pass; only its absence can be read. `m` may also fail to load. */
export const readKernelConfig = (config: string, options: ReadonlyArray<string>, why: string): Finding => {
  if (!config.includes("CONFIG_")) return unknown(`${why}, and the kernel does not show its configuration`)
  const set = (value: "y" | "m") =>
    options.filter((option) => config.split("\n").includes(`${option}=${value}`)).join(", ")
  if (set("y") !== "") return unknown(`${set("y")} is built into the kernel; not tried (${why})`)
  if (set("m") !== "") return unknown(`${set("m")} is a module of the kernel; not tried (${why})`)
  return fail(`${options.join(", ")} is not set in the kernel`)
}

const fromConfig = Effect.fnUntraced(function* (feature: Feature, why: string) {
  const { stdout } = yield* sh('zcat /proc/config.gz 2>/dev/null || cat "/boot/config-$(uname -r)" 2>/dev/null')
  return readKernelConfig(stdout, feature.options, why)
})

const probeOf = (feature: Feature): Probe => ({
  name: feature.name,
  required: false,
  advice: feature.advice,
  look: (site): ReturnType<Probe["look"]> =>
    Effect.gen(function* () {
      const remote = yield* remoteness(site)
      if (remote !== undefined) return unknown(remote)
      const obstacle = yield* localObstacle(site)
      const tried: Finding | undefined = obstacle === undefined ? yield* attempt(feature) : undefined
      return tried ?? (yield* fromConfig(feature, obstacle ?? `${feature.tool} is not installed`))
    })
})

const overlay: Probe = {
  name: "kernel-overlay",
  required: false,
  advice: "Load the overlay module on the engine's host: other storage drivers are slower.",
  look: (site) =>
    Effect.gen(function* () {
      const { storageDriver } = yield* site.engine.info
      if (storageDriver.startsWith("overlay")) return pass(`the engine stores on ${storageDriver}`)
      const remote = yield* remoteness(site)
      if (remote !== undefined) return unknown(remote)
      const { exitCode } = yield* sh("grep -qw overlay /proc/filesystems")
      return exitCode === 0 ? pass("listed in /proc/filesystems") : fail("not in /proc/filesystems")
    })
}

export const kernelProbes: ReadonlyArray<Probe> = [
  overlay,
  probeOf({
    name: "kernel-nftables",
    tool: "nft",
    trial: "nft add table inet sbx_probe",
    options: ["CONFIG_NF_TABLES"],
    advice: "Use a kernel with nf_tables: network faults have no lease in the kernel without it."
  }),
  probeOf({
    name: "kernel-nfqueue",
    tool: "nft",
    trial:
      "nft add table inet p && nft 'add chain inet p c { type filter hook output priority 0; }' && nft add rule inet p c queue num 0 bypass",
    options: ["CONFIG_NFT_QUEUE", "CONFIG_NETFILTER_XT_TARGET_NFQUEUE"],
    advice: "Use a kernel with NFQUEUE: latency and loss cannot be injected in user space without it."
  }),
  probeOf({
    name: "kernel-netem",
    tool: "tc",
    trial: "ip link set lo up && tc qdisc add dev lo root netem delay 1ms",
    options: ["CONFIG_NET_SCH_NETEM"],
    advice: "Use a kernel with sch_netem, or rely on the user-space rung of the network faults."
  })
]
