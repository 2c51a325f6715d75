/** The victim's run as a child in a folder of its own, and how long it takes until everything is in flight. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { fileURLToPath } from "node:url"
import { TortureFailed } from "../Torture.ts"
import { TorturePlace } from "./place.ts"
import * as Program from "./program.ts"

const scenario = fileURLToPath(new URL("../victim.scenario.ts", import.meta.url))

export interface VictimOptions {
  readonly torture: string
  /** Name of its folder. */
  readonly name: string
  readonly sandboxes: number
  /** How long everything stays up; until `release` when absent. */
  readonly holdMillis?: number
  readonly env?: Readonly<Record<string, string>>
}

export interface Victim extends Program.Program {
  readonly cwd: string
  readonly log: string
  /** When everything is in flight; fails when the run ends before. */
  readonly ready: Effect.Effect<void, TortureFailed>
  /** Lets it come to its end. */
  readonly release: Effect.Effect<void, PlatformError>
}

export const start = Effect.fnUntraced(function* (options: VictimOptions) {
  const { torture, name, sandboxes, holdMillis, env } = options
  const fs = yield* FileSystem
  const { directory } = yield* TorturePlace
  const cwd = `${directory}/${name}`
  yield* fs.makeDirectory(cwd, { recursive: true })
  const log = `${cwd}/output.log`
  const program = yield* Program.start({
    args: ["run", scenario],
    cwd,
    log,
    env: {
      MAX_CONCURRENT_SANDBOXES: String(sandboxes + 4),
      SBX_TORTURE_SANDBOXES: String(sandboxes),
      ...(holdMillis === undefined ? {} : { SBX_TORTURE_HOLD_MILLIS: String(holdMillis) }),
      ...env
    }
  })
  const early = Effect.flatMap(program.ended, ({ code, signal }) =>
    Effect.fail(
      new TortureFailed({ torture, detail: `the run ended with ${code ?? signal} before it was ready; see ${log}` })
    )
  )
  const there = Effect.gen(function* () {
    while (!(yield* Effect.orElseSucceed(fs.exists(`${cwd}/ready`), () => false))) yield* Effect.sleep("25 millis")
  })
  const release = fs.writeFileString(`${cwd}/release`, "")
  return { ...program, cwd, log, release, ready: Effect.raceFirst(there, early) } satisfies Victim
})

/** Milliseconds from the start to everything in flight, of a run that is not harmed before. */
export const timeToReady = Effect.fnUntraced(function* (options: VictimOptions) {
  const started = yield* Clock.currentTimeMillis
  const victim = yield* start(options)
  yield* victim.ready.pipe(
    Effect.timeoutOrElse({
      duration: "2 minutes",
      orElse: () =>
        Effect.fail(new TortureFailed({ torture: options.torture, detail: `no run was ready; see ${victim.log}` }))
    })
  )
  const millis = (yield* Clock.currentTimeMillis) - started
  return { victim, millis }
})
