/** Expectations about the result of a command in a sandbox. Every failure shows the command, its end and the tail of its output. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { type ExpectationFailed, that } from "./Expect.ts"
import type { ExecResult } from "./Sandbox.ts"

type Expectation = Effect.Effect<void, ExpectationFailed>

/** Text that must occur, a pattern that must match, or a predicate with a name. */
export type Matcher = string | RegExp | { readonly name: string; readonly matches: (text: string) => boolean }

const tailLength = 2000
const tail = (text: string) => (text.length <= tailLength ? text : `…${text.slice(-tailLength)}`)

const contextOf = (result: ExecResult): Readonly<Record<string, string>> => ({
  argv: `[${result.argv.map((arg) => `"${arg}"`).join(", ")}]`,
  "exit code": String(result.exitCode),
  duration: `${result.durationMillis} ms`,
  stdout: tail(result.stdout) + (result.stdoutTruncated ? " (truncated)" : ""),
  stderr: tail(result.stderr) + (result.stderrTruncated ? " (truncated)" : "")
})

const about = (result: ExecResult, what: string, holds: boolean, expected: string, actual: string): Expectation =>
  that(holds, { what, expected, actual, context: contextOf(result) })

/** Exit code 0. */
export const succeeded = (result: ExecResult): Expectation => exitCode(result, 0)

/** Another exit code than 0. */
export const failed = (result: ExecResult): Expectation =>
  about(result, "the exit code", result.exitCode !== 0, "other than 0", "0")

export const exitCode = (result: ExecResult, code: number): Expectation =>
  about(result, "the exit code", result.exitCode === code, String(code), String(result.exitCode))

/** Signals by name, signal(7); the same numbers on x86 and ARM. */
const signals = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGSYS: 31
} as const
export type SignalName = keyof typeof signals

/** Died by the signal, which engines and shells report as 128 + its number; a program may also return that number itself. */
export const signal = (result: ExecResult, name: SignalName): Expectation => {
  const code = 128 + signals[name]
  return about(result, "the exit code", result.exitCode === code, `${code} (${name})`, String(result.exitCode))
}

const matches = (matcher: Matcher, text: string): boolean => {
  if (typeof matcher === "string") return text.includes(matcher)
  // A global pattern would remember where it stopped.
  if (matcher instanceof RegExp) return new RegExp(matcher.source, matcher.flags.replace(/[gy]/g, "")).test(text)
  return matcher.matches(text)
}

const describe = (matcher: Matcher): string => {
  if (typeof matcher === "string") return `text with "${matcher}"`
  return matcher instanceof RegExp ? `text like ${matcher}` : matcher.name
}

export const stdout = (result: ExecResult, matcher: Matcher): Expectation =>
  about(result, "stdout", matches(matcher, result.stdout), describe(matcher), `"${tail(result.stdout)}"`)

export const stderr = (result: ExecResult, matcher: Matcher): Expectation =>
  about(result, "stderr", matches(matcher, result.stderr), describe(matcher), `"${tail(result.stderr)}"`)

/** Took less than the budget, as measured around the engine's calls. */
export const durationBelow = (result: ExecResult, budget: Duration.Input): Expectation => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(budget))
  return about(
    result,
    "the duration",
    result.durationMillis < millis,
    `below ${millis} ms`,
    `${result.durationMillis} ms`
  )
}
