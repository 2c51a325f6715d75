/**
 * How a command ends: its exit code (`Verdict.exitCodes`) and what it says on standard error. A typed error says its own
 * sentence, a defect shows its cause; routed by `_tag`, never by text.
 */
import * as Verdict from "@sbx/core/Verdict"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { printable } from "./internal/printable.ts"

/** The exit code of a command that did its job; 0 unless set. */
export class ExitStatus extends Context.Service<
  ExitStatus,
  { readonly set: (code: number) => Effect.Effect<void>; readonly get: Effect.Effect<number> }
>()("@sbx/suite/ExitStatus") {}

export const layer: Layer.Layer<ExitStatus> = Layer.effect(
  ExitStatus,
  Effect.map(Ref.make<number>(Verdict.exitCodes.pass), (ref) => ({
    set: (code) => Ref.set(ref, code),
    get: Ref.get(ref)
  }))
)

/** The user's words were wrong; nothing was done. */
const usage: ReadonlySet<string> = new Set([
  "AmbiguousContainer",
  "FormatConflict",
  "ShowHelp",
  "ConfigError",
  "InvalidSetting",
  "InvalidScenarioFile",
  "NameTaken",
  "NothingSelected",
  "TargetExists",
  "UnknownBenchmark",
  "UnknownContainer",
  "UnknownEventType",
  "UnknownRecipe",
  "UnknownRun",
  "UnknownSelector",
  "UnknownTorture"
])

/** No engine to work with; whatever was to be judged was not. */
const noEngine: ReadonlySet<string> = new Set([
  "NoEngine",
  "ApiVersionUnsupported",
  "CircuitOpen",
  "EngineUnavailable",
  "InstallRefused",
  "NoPackageSource",
  "NotDebian",
  "PackageFetchFailed",
  "PackageUnavailable",
  "PrivateEngineStartFailed",
  "PrivateEngineUnsupported"
])

export interface Ending {
  readonly code: number
  /** Nothing when it was said already, or there is nothing to say. */
  readonly text: string | undefined
}

/** How the command ended, with the code that it set where it did its job. */
export const ending = (exit: Exit.Exit<unknown, unknown>): Ending => {
  if (Exit.isSuccess(exit)) {
    return { code: typeof exit.value === "number" ? exit.value : Verdict.exitCodes.pass, text: undefined }
  }
  const { cause } = exit
  if (Cause.hasInterruptsOnly(cause)) return { code: Verdict.exitCodes.interrupted, text: undefined }
  const error = Cause.findErrorOption(cause)
  if (Option.isNone(error)) return { code: Verdict.exitCodes.unknown, text: Cause.pretty(cause) }
  const tag = tagOf(error.value)
  // effect/cli has shown these already.
  const text = tag === "ShowHelp" ? undefined : messageOf(error.value)
  if (usage.has(tag)) return { code: Verdict.exitCodes.usage, text }
  return { code: noEngine.has(tag) ? Verdict.exitCodes.noEngine : Verdict.exitCodes.unknown, text }
}

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : ""

const messageOf = (error: unknown): string =>
  printable(error instanceof Error && error.message !== "" ? error.message : String(error))
