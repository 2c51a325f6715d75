/** From how a scenario ended to its verdict. */
import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Verdict from "../Verdict.ts"

/** The scenario did not end in its time; it was interrupted and what it had acquired was released. */
export class ScenarioTimeout extends Schema.TaggedError<ScenarioTimeout>()("ScenarioTimeout", {
  timeoutMillis: Schema.Finite
}) {
  override get message() {
    return `Could not finish the scenario: it was still running after ${this.timeoutMillis} ms.\nRaise its timeout or INTEGRATION_TEST_TIMEOUT if the machine is slow.`
  }
}

export const judge = (exit: Exit.Exit<unknown, unknown>, failures: ReadonlyArray<string>): Verdict.Verdict => {
  if (exit._tag === "Success") return Verdict.pass
  const reasons = exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
  if (reasons.length === 0) return Verdict.unknown("it was interrupted")
  return Verdict.mergeAll(reasons.map((reason) => judgeReason(reason, failures)))
}

const judgeReason = (reason: Cause.Reason<unknown>, failures: ReadonlyArray<string>): Verdict.Verdict => {
  if (Cause.isDieReason(reason)) return Verdict.fail(`defect: ${textOf(reason.defect)}`)
  if (!Cause.isFailReason(reason)) return Verdict.unknown("it was interrupted")
  const { error } = reason
  const isFailure = error instanceof ScenarioTimeout || failures.some((tag) => Predicate.isTagged(error, tag))
  return isFailure ? Verdict.fail(textOf(error)) : Verdict.unknown(textOf(error))
}

/** The message of an error, or the value itself. */
export const textOf = (value: unknown): string => (value instanceof Error ? value.message : String(value))
