/** One look of a health check, bounded by its timeout. A look that hangs is a failure, and its processes inside are killed. */
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { HealthCheck, Observation, Probe } from "../HealthCheck.ts"
import type { Sandbox } from "../SandboxHandle.ts"
import type { WaitUnsupported } from "../Wait.ts"
import type { SandboxContext } from "./execStart.ts"
import { probe } from "./probeExec.ts"
import * as Resources from "./resourceReading.ts"
import { httpAnswers, portOpen } from "./waitFor.ts"

/** What one look leaves for the next. */
export interface Memory {
  cpu: Resources.CpuMark | undefined
}

export interface Looker {
  readonly context: SandboxContext
  readonly sandbox: Sandbox
  readonly memory: Memory
}

type LookError = CallError | ObjectNotFound | EngineConflict | InvalidRequest | WaitUnsupported

export const look = (looker: Looker, check: HealthCheck): Effect.Effect<Observation> =>
  once(looker, check).pipe(
    Effect.catch((error) => Effect.succeed(judgeError(error))),
    Effect.catchDefect((defect) => Effect.succeed(unknown(Cause.pretty(Cause.die(defect)).split("\n")[0] ?? "defect"))),
    Effect.timeoutOption(check.timeout),
    Effect.flatMap(Option.match({ onNone: () => silence(looker.context, check), onSome: Effect.succeed }))
  )

/** The sandbox's, if the engine itself still answers. */
const silence = ({ engine }: SandboxContext, { timeout }: HealthCheck): Effect.Effect<Observation> =>
  engine.ping.pipe(
    Effect.timeout("1 second"),
    Effect.match({
      onSuccess: () => answered(`no answer within ${Duration.format(Duration.fromInputUnsafe(timeout))}`),
      onFailure: () => unknown("the engine does not answer")
    })
  )

const ok: Observation = { level: "ok", detail: "" }
const unknown = (detail: string): Observation => ({ level: "unknown", detail })
const answered = (problem: string | undefined): Observation =>
  problem === undefined ? ok : { level: "critical", detail: problem }

const once = (looker: Looker, { probe: what, timeout }: HealthCheck): Effect.Effect<Observation, LookError> => {
  switch (what._tag) {
    case "Command":
      return commandSucceeds(looker.context, what, timeout)
    case "Port":
      return Effect.map(portOpen(looker.context, what.port), answered)
    case "Http":
      return Effect.map(httpAnswers(looker.context, what), answered)
    case "Resources":
      return Resources.read(looker.context, looker.memory.cpu).pipe(
        Effect.map(({ use, mark }) => {
          looker.memory.cpu = mark
          return Resources.judge(use, what.thresholds)
        })
      )
    case "Custom":
      return what.look(looker.sandbox)
  }
}

const commandSucceeds = Effect.fnUntraced(function* (
  context: SandboxContext,
  { argv }: Extract<Probe, { readonly _tag: "Command" }>,
  timeout: Duration.Input
): Effect.fn.Return<Observation, LookError> {
  // The look's own timeout is the one that counts: it is the shorter.
  const patience = Duration.sum(Duration.fromInputUnsafe(timeout), Duration.seconds(1))
  const result = yield* probe(context, argv, patience)
  if (result.missing) return unknown(`there is no ${argv[0]}`)
  if (result.exitCode === 0) return ok
  return answered(result.exitCode === undefined ? "did not end" : `exit code ${result.exitCode}`)
})

/**
 * An engine that does not answer, or a container that is gone or paused, says nothing about its health. An engine that cannot
 * get a process started inside does: nothing works in there, as when the limit of processes is used up.
 */
const judgeError = (error: LookError): Observation => {
  switch (error._tag) {
    case "EngineFailure":
      return { level: "critical", detail: error.detail }
    case "InvalidRequest":
      return { level: error.reason === "bad-parameter" ? "unknown" : "critical", detail: error.detail }
    default:
      return unknown(error.message.split("\n")[0] ?? error._tag)
  }
}
