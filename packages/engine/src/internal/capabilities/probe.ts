/** A probe, and a throw-away container to do it in. */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { HostSettings } from "../../ContainerSpec.ts"
import type { EngineShape } from "../../Engine.ts"
import type { CapabilityName } from "../../EngineCapabilities.ts"
import { awaitExecExit } from "../../ExecExit.ts"

export interface Finding {
  readonly verdict: "pass" | "fail" | "unknown"
  readonly found: string
}

/** Where a probe works. */
export interface Site {
  readonly engine: EngineShape
  readonly image: string
  readonly labels: Readonly<Record<string, string>>
}

export interface Probe {
  readonly name: CapabilityName
  readonly required: boolean
  /** For a verdict that is not pass. */
  readonly advice: string
  /** Any failure becomes unknown. */
  readonly look: (site: Site) => Effect.Effect<Finding, unknown, Scope.Scope | ChildProcessSpawner | FileSystem>
}

export const pass = (found: string): Finding => ({ verdict: "pass", found })
export const fail = (found: string): Finding => ({ verdict: "fail", found })
export const unknown = (found: string): Finding => ({ verdict: "unknown", found })

/** Unique among the engine's objects for as long as a probe lives. */
export const probeName = Effect.map(
  Random.nextIntBetween(0, 2 ** 32),
  (number) => `sbx-probe-${number.toString(16).padStart(8, "0")}`
)

/** Runs until the scope closes, or two minutes when nobody is left to close it. */
export const container = (site: Site, host: HostSettings, command: ReadonlyArray<string> = ["sleep", "120"]) =>
  Effect.gen(function* () {
    const name = yield* probeName
    // By name: the create may have taken effect though its answer was lost.
    yield* Effect.addFinalizer(() => Effect.ignore(site.engine.removeContainer(name)))
    const id = yield* site.engine.createContainer({
      name,
      image: site.image,
      entrypoint: [],
      command,
      user: "0",
      labels: site.labels,
      host: { networkMode: "none", ...host }
    })
    yield* site.engine.startContainer(id)
    return id
  })

const maxOutputChars = 4_096

export const exec = (site: Site, id: string, argv: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* site.engine.exec(id, { argv })
      const text = yield* connection.output.pipe(
        Stream.map(({ bytes }) => bytes),
        Stream.decodeText(),
        Stream.runFold(
          () => "",
          (sum, part) => (sum + part).slice(0, maxOutputChars)
        )
      )
      const { exitCode } = yield* awaitExecExit(site.engine, connection.execId, "5 seconds")
      return { exitCode, text: text.trim() }
    })
  )

export const shell = (site: Site, id: string, script: string) => exec(site, id, ["sh", "-c", script])
