/**
 * What an engine and its host can really do, found out by doing it with throw-away containers: what `./sbx doctor` prints.
 * A probe that cannot be tried says unknown and why; it never guesses from a version number. Touches no network but its own.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { FileSystem } from "effect/FileSystem"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { Engine } from "./Engine.ts"
import type { ApiVersionUnsupported, CallError } from "./EngineError.ts"
import { diskProbes } from "./internal/capabilities/diskProbes.ts"
import { engineProbes } from "./internal/capabilities/engineProbes.ts"
import { hostProbes } from "./internal/capabilities/hostProbes.ts"
import { kernelProbes } from "./internal/capabilities/kernelProbes.ts"
import { limitProbes } from "./internal/capabilities/limitProbes.ts"
import type { Finding, Probe, Site } from "./internal/capabilities/probe.ts"
import { seccompProbe } from "./internal/capabilities/seccompProbe.ts"

export type CapabilityName =
  | "engine"
  | "api"
  | "cgroup"
  | "storage-driver"
  | "container-start"
  | "memory-limit"
  | "pids-limit"
  | "cpu-limit"
  | "seccomp"
  | "disk-limit-loop"
  | "disk-limit-tmpfs"
  | "disk-limit-storage-opt"
  | "kernel-overlay"
  | "kernel-nftables"
  | "kernel-nfqueue"
  | "kernel-netem"
  | "free-disk"
  | "host-tools"

export interface CapabilityReport {
  readonly name: CapabilityName
  /** `unknown`: it could not be tried; `found` says why. */
  readonly verdict: "pass" | "fail" | "unknown"
  /** Without it no sandbox can be run safely; the others only narrow what is offered. */
  readonly required: boolean
  /** One line: what was seen. */
  readonly found: string
  /** One line: what to do about a verdict that is not pass. */
  readonly advice: string
}

export interface DetectOptions {
  /** An image of the engine with a POSIX shell, sleep, mkdir, dd and cat, e.g. the recipe `tiny`. Never pulled. */
  readonly image: string
  /** For every object that a probe creates, so that a reaper knows them. Default `sbx.probe=1`. */
  readonly labels?: Readonly<Record<string, string>>
  /** Bound of each probe, milliseconds. Default 20,000. */
  readonly probeTimeoutMillis?: number
}

const defaultTimeoutMillis = 20_000
/** Probes start containers; more at once would only measure each other. */
const concurrency = 2
const nothingToDo = "Nothing to do."

const oneLine = (text: string) => text.trim().split("\n")[0]?.slice(0, 300) ?? ""

const report = (probe: Probe, finding: Finding): CapabilityReport => ({
  name: probe.name,
  required: probe.required,
  verdict: finding.verdict,
  found: oneLine(finding.found),
  advice: finding.verdict === "pass" ? nothingToDo : probe.advice
})

/** An error or a defect of a probe is no verdict on the engine. */
const describe = (cause: Cause.Cause<unknown>): Finding => {
  const failed = Cause.squash(cause)
  return { verdict: "unknown", found: failed instanceof Error ? failed.message : String(failed) }
}

const run = (probe: Probe, site: Site, timeoutMillis: number) =>
  Effect.scoped(probe.look(site)).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.succeed<Finding>({ verdict: "unknown", found: `not finished within ${timeoutMillis} ms` })
    }),
    Effect.exit,
    Effect.flatMap((exit) => {
      if (Exit.isSuccess(exit)) return Effect.succeed(report(probe, exit.value))
      return Cause.hasInterruptsOnly(exit.cause)
        ? Effect.interrupt
        : Effect.succeed(report(probe, describe(exit.cause)))
    })
  )

const probes: ReadonlyArray<Probe> = [
  ...engineProbes,
  ...limitProbes,
  seccompProbe,
  ...diskProbes,
  ...kernelProbes,
  ...hostProbes
]

/** One report a capability, always all of them and in the same order. Leaves nothing behind, also when interrupted. */
export const detect = Effect.fn("EngineCapabilities.detect")(function* (
  options: DetectOptions
): Effect.fn.Return<ReadonlyArray<CapabilityReport>, never, Engine | ChildProcessSpawner | FileSystem> {
  const engine = yield* Engine
  const site: Site = { engine, image: options.image, labels: options.labels ?? { "sbx.probe": "1" } }
  const timeoutMillis = options.probeTimeoutMillis ?? defaultTimeoutMillis
  return yield* Effect.forEach(probes, (probe) => run(probe, site, timeoutMillis), { concurrency })
})

/** The report for an engine whose layer could not be built. */
export const unreachable = (error: CallError | ApiVersionUnsupported): CapabilityReport => {
  const [found, ...advice] = error.message.split("\n")
  return {
    name: error._tag === "ApiVersionUnsupported" ? "api" : "engine",
    verdict: "fail",
    required: true,
    found: found ?? "",
    advice: advice.join(" ") || "Look at the engine's log."
  }
}
