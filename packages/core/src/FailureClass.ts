/**
 * What went wrong with a sandbox, as a pure decision from figures: exit status, the engine's OOM flag, the kernel's count of
 * OOM kills, signals that the engine was seen to send. Texts are carried for people and never looked into.
 */
import type { FailureKind } from "./SandboxEvent.ts"

/** What was seen. */
export type Sign =
  | {
      readonly sign: "exit"
      /** As the engine reports it: 128 + n for a death by signal n. */
      readonly exitCode: number
      /** `State.OOMKilled`: engines set it for a kill of any process of the container, at any time of the run. */
      readonly oomFlag: boolean
      /** Kills for memory by the kernel, shortly before the end; see {@link relevantMillis}. */
      readonly oomKills: number
      /** Such kills earlier in the run: they explain the flag, not the end. */
      readonly earlierOomKills: number
      /** Numbers of the signals that the engine sent to the main process shortly before. */
      readonly signalsSent: ReadonlyArray<number>
    }
  /** The engine has no such container any more. */
  | { readonly sign: "vanished"; readonly detail: string }
  /** A start or a create did not come about. `refusal`: the engine says that the program cannot be run. */
  | { readonly sign: "start-failed"; readonly detail: string; readonly refusal?: "not-found" | "not-executable" }
  | {
      readonly sign: "unhealthy"
      readonly check: string
      readonly detail: string
      /** Kills for memory since the check last succeeded. */
      readonly oomKills: number
    }

/**
 * `signal`: 128 + n (1 to 64), as init and engines report death by signal n; a program that exits with such a code itself looks the same,
 * so `witnessed` says whether the engine was seen to send it. `not-started`: 126 or 127, as init and shells report a program that
 * cannot be run. `out-of-memory` wins over the SIGKILL it comes as; its victim is a child where the main process ended otherwise.
 */
export type FailureClass =
  | { readonly kind: "completed" }
  | { readonly kind: "error"; readonly exitCode: number }
  | { readonly kind: "not-started"; readonly exitCode: number }
  | { readonly kind: "signal"; readonly signal: number; readonly witnessed: boolean }
  | { readonly kind: "out-of-memory"; readonly victim: "main" | "child" }
  | { readonly kind: "start-failed"; readonly detail: string }
  | { readonly kind: "vanished"; readonly detail: string }
  | { readonly kind: "unhealthy"; readonly check: string; readonly detail: string }

/** All there are, in the order of the class's definition. */
export const kinds: ReadonlyArray<FailureKind> = [
  "completed",
  "error",
  "not-started",
  "signal",
  "out-of-memory",
  "start-failed",
  "vanished",
  "unhealthy"
]

/** A kill or a signal this long before an end may be its cause. */
export const relevantMillis = 10_000

const sigkill = 128 + 9

export const classify = (sign: Sign): FailureClass => {
  switch (sign.sign) {
    case "vanished":
      return { kind: "vanished", detail: sign.detail }
    case "start-failed":
      return sign.refusal === undefined
        ? { kind: "start-failed", detail: sign.detail }
        : { kind: "not-started", exitCode: sign.refusal === "not-found" ? 127 : 126 }
    case "unhealthy":
      return sign.oomKills > 0
        ? { kind: "out-of-memory", victim: "child" }
        : { kind: "unhealthy", check: sign.check, detail: sign.detail }
    case "exit":
      return classifyExit(sign)
  }
}

/** A main process that ends with 0 has coped with whatever became of its children. */
const classifyExit = (sign: Extract<Sign, { readonly sign: "exit" }>): FailureClass => {
  const { exitCode, oomFlag, oomKills, earlierOomKills, signalsSent } = sign
  if (exitCode === 0) return { kind: "completed" }
  if (oomKills > 0 || (oomFlag && earlierOomKills === 0)) {
    return { kind: "out-of-memory", victim: exitCode === sigkill ? "main" : "child" }
  }
  if (exitCode === 126 || exitCode === 127) return { kind: "not-started", exitCode }
  if (exitCode <= 128 || exitCode > 192) return { kind: "error", exitCode }
  const signal = exitCode - 128
  return { kind: "signal", signal, witnessed: signalsSent.includes(signal) }
}

/** For people and the journal. */
export const describe = (failure: FailureClass): string => {
  switch (failure.kind) {
    case "completed":
      return "completed"
    case "signal":
      return `killed by signal ${failure.signal}${failure.witnessed ? ", sent through the engine" : ""}`
    case "error":
    case "not-started":
      return `${failure.kind}: exit code ${failure.exitCode}`
    case "out-of-memory":
      return failure.victim === "main" ? "out-of-memory" : "out-of-memory: a child was killed"
    case "start-failed":
    case "vanished":
      return `${failure.kind}: ${failure.detail}`
    case "unhealthy":
      return `unhealthy: ${failure.check}: ${failure.detail}`
  }
}
