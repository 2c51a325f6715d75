/**
 * What was read from one container: the answers of its probes and the engine's own description.
 * Answers come from code in the sandbox and are worth what its image is worth; controls and calibration bound that trust.
 */
import type { ContainerInspect } from "@sbx/engine/Engine"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Errno from "./Errno.ts"
import type { CheckVerdict } from "./CheckVerdict.ts"
import { notRun } from "./CheckVerdict.ts"
import type { Probe } from "./Probe.ts"
import { keyOf } from "./Probe.ts"

export const Answer = Schema.TaggedUnion({
  /** The operation succeeded with this return value. */
  Done: { value: Schema.Finite },
  Refused: { errno: Schema.Int },
  /** `complete` is false when the bound of the reading was reached. */
  Text: { lines: Schema.Array(Schema.String), complete: Schema.Boolean },
  /** The vehicle could not ask, or its answer could not be understood. */
  Unanswered: { reason: Schema.String }
})
export type Answer = typeof Answer.Type

export interface Evidence {
  /** By `keyOf` of the probe. */
  readonly answers: ReadonlyMap<string, Answer>
  readonly inspect: ContainerInspect | undefined
}

/** A reading, or the verdict `NotRun` that its absence leads to. */
export type Reading<A> = Result.Result<A, CheckVerdict>

/** The answer, whatever it is; `Unanswered` when the probe was never run. */
export const answerOf = (evidence: Evidence, probe: Probe): Answer =>
  evidence.answers.get(keyOf(probe)) ?? { _tag: "Unanswered", reason: "was not probed" }

/** Lines of a text or names of a directory; anything else is `NotRun`. */
export const text = (evidence: Evidence, probe: Probe): Reading<ReadonlyArray<string>> => {
  const answer = answerOf(evidence, probe)
  if (answer._tag !== "Text") return Result.fail(notRun(describeAnswer(probe, answer)))
  return answer.complete
    ? Result.succeed(answer.lines)
    : Result.fail(notRun(`${keyOf(probe)} is longer than the probe's bound`))
}

/** Like {@link text}, but undefined where the file does not exist. */
export const textIfPresent = (evidence: Evidence, probe: Probe): Reading<ReadonlyArray<string> | undefined> => {
  const answer = answerOf(evidence, probe)
  return answer._tag === "Refused" && answer.errno === Errno.numberOf("ENOENT")
    ? Result.succeed(undefined)
    : text(evidence, probe)
}

/** The first line of a text. */
export const line = (evidence: Evidence, probe: Probe): Reading<string> =>
  Result.flatMap(text(evidence, probe), (lines) =>
    lines[0] === undefined ? Result.fail(notRun(`${keyOf(probe)} is empty`)) : Result.succeed(lines[0])
  )

/** What the engine says; `NotRun` when it was not asked. */
export const inspected = (evidence: Evidence): Reading<ContainerInspect> =>
  evidence.inspect === undefined ? Result.fail(notRun("the engine was not asked")) : Result.succeed(evidence.inspect)

/** One line of evidence, e.g. `user: unshare(0) → EPERM`. */
export const describeAnswer = (probe: Probe, answer: Answer): string => `${keyOf(probe)} → ${outcome(answer)}`

const outcome = Answer.match({
  Done: ({ value }) => String(value),
  Refused: ({ errno }) => Errno.nameOf(errno),
  Text: ({ lines, complete }) => `${lines.length} lines${complete ? "" : " (cut)"}`,
  Unanswered: ({ reason }) => reason
})
