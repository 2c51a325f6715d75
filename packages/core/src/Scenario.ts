/**
 * A scenario is a typed program with a name and what it needs; the services it yields are its requirements.
 * A finding is a value. The error channel means "could not do the job" and makes the verdict unknown, except for the errors
 * that {@link Scenario.failures} names; a defect is a fail, because the program under test or the scenario is broken.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Verdict } from "./Verdict.ts"

/** The services of a running scenario; the runner provides it. */
export class ScenarioContext extends Context.Service<
  ScenarioContext,
  {
    readonly name: string
    /** Drives `Random` inside the scenario; the same seed replays the same choices. */
    readonly seed: string
    /** Scratch directory; removed at the end, unless the scenario does not pass and the environment says to keep it. */
    readonly directory: string
    /** Records the effect as a step with its duration and outcome. */
    readonly step: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** Records a figure or fact that the verdict rests on. A later value under the same key replaces it in the report. */
    readonly evidence: (key: string, value: Schema.Json) => Effect.Effect<void>
    /** Records a judgement; the worst of all is the scenario's verdict, which without any is unknown. */
    readonly finding: (what: string, verdict: Verdict) => Effect.Effect<void>
    /** Records pass or fail, without ending the scenario. Resolves to the condition. */
    readonly check: (
      what: string,
      holds: boolean,
      facts?: { readonly expected: string; readonly actual: string }
    ) => Effect.Effect<boolean>
    /**
     * A check of a figure that depends on how busy the machine is. Judged where the run judges budgets; elsewhere (a test
     * framework that runs other tests meanwhile) the figure is reported and nothing is judged.
     */
    readonly budget: (
      what: string,
      holds: boolean,
      facts: { readonly expected: string; readonly actual: string }
    ) => Effect.Effect<void>
    /** Records that something could not be judged. */
    readonly unknown: (reason: string) => Effect.Effect<void>
    /** Keeps a file with the run's artefacts. Resolves to its absolute path. */
    readonly artefact: (fileName: string, content: Uint8Array | string) => Effect.Effect<string, PlatformError>
  }
>()("@sbx/core/Scenario/ScenarioContext") {}

export interface ScenarioOptions {
  readonly description: string
  readonly tags?: ReadonlyArray<string>
  /** Default: the environment's `defaultTimeout`. The lock's wait does not count. */
  readonly timeout?: Duration.Input
  /** Capabilities of engine or host, by name; a missing one makes the verdict unknown with the reason. */
  readonly needs?: ReadonlyArray<string>
  /** Takes more than 5 minutes. */
  readonly long?: boolean
  /** Measures time: runs alone on the machine. */
  readonly exclusive?: boolean
  /** Puts its engine's host at risk: runs on the private engine only, unless allowed. */
  readonly dangerous?: boolean
  /** Names of the image recipes it uses. */
  readonly images?: ReadonlyArray<string>
  /** Tags of typed errors that mean "fail", beyond {@link defaultFailures}. */
  readonly failures?: ReadonlyArray<string>
}

export interface Scenario<out R = never> extends Required<Omit<ScenarioOptions, "timeout">> {
  /** `category/slug`. */
  readonly name: string
  readonly category: string
  readonly timeout: Duration.Input | undefined
  /** The program in its own scope: what it acquired is released when it ends, fails or is interrupted. */
  readonly run: (context: ScenarioContext["Service"]) => Effect.Effect<unknown, unknown, R>
}

/** Errors in which the subject, not the machinery, did not do what it should. */
export const defaultFailures: ReadonlyArray<string> = ["ExpectationFailed", "CommandFailed", "ExecTimeout"]

const namePattern = /^[a-z][a-z0-9-]*\/[a-z0-9][a-z0-9-]*$/

/** Whether `name` is `category/slug` of lower-case letters, digits and dashes. */
export const isScenarioName = (name: string): boolean => namePattern.test(name)

/** Defines a scenario. A malformed name is a defect. */
export const make = <A, E, R>(
  name: string,
  options: ScenarioOptions,
  effect: Effect.Effect<A, E, R>
): Scenario<Exclude<Exclude<R, ScenarioContext>, Scope.Scope>> => {
  if (!isScenarioName(name)) throw new Error(`scenario name "${name}" is not category/slug`)
  return {
    name,
    category: name.slice(0, name.indexOf("/")),
    description: options.description,
    tags: options.tags ?? [],
    timeout: options.timeout,
    needs: options.needs ?? [],
    long: options.long ?? false,
    exclusive: options.exclusive ?? false,
    dangerous: options.dangerous ?? false,
    images: options.images ?? [],
    failures: [...defaultFailures, ...(options.failures ?? [])],
    run: (context) => Effect.scoped(Effect.provideService(effect, ScenarioContext, context))
  }
}
