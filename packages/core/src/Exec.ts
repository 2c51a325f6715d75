/**
 * What can go wrong when a command runs in a sandbox, and defaults for running one. A non-zero exit is data, not an error,
 * unless `execOk` was asked for; an exit code that the engine does not tell is an error, never a number.
 */
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type { ExecExitUnknown } from "@sbx/engine/ExecExit"
import type { AppendError } from "@sbx/journal/Journal"
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { KillRung } from "./SandboxEvent.ts"

/** The sandbox is in a state in which this cannot be done. */
export class SandboxNotRunning extends Schema.TaggedError<SandboxNotRunning>()("SandboxNotRunning", {
  sandboxId: Schema.String,
  operation: Schema.String,
  /** See `SandboxState`. */
  state: Schema.String
}) {
  readonly retryable = false
  override get message() {
    const remedy = this.state === "paused" ? "Resume it first." : "Start or restart it first, or make a new one."
    return `Could not ${this.operation} in sandbox ${this.sandboxId}: it is ${this.state}.\n${remedy}`
  }
}

/** The image has no such program, or it cannot be executed by this user. */
export class CommandNotFound extends Schema.TaggedError<CommandNotFound>()("CommandNotFound", {
  sandboxId: Schema.String,
  command: Schema.String,
  reason: Schema.Literals(["not-found", "not-executable"]),
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    const fact = this.reason === "not-found" ? "there is no such program" : "it is not executable"
    return `Could not run ${this.command} in sandbox ${this.sandboxId}: ${fact}.\nCheck the spelling, the image's contents and PATH. The engine said: ${this.detail}`
  }
}

const output = {
  stdout: Schema.String,
  stderr: Schema.String,
  stdoutTruncated: Schema.Boolean,
  stderrTruncated: Schema.Boolean
}

const quoted = (argv: ReadonlyArray<string>) => argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`))

const fateOf = (rung: typeof KillRung.Type, detail: string) => {
  if (rung === "pending-paused") return "its processes will die when the sandbox is resumed"
  return rung === "not-killed" ? `killing its processes failed: ${detail}` : `its processes were killed (${rung})`
}

/** The command did not end in time and was killed inside, unless `rung` says otherwise; the output so far is kept. */
export class ExecTimeout extends Schema.TaggedError<ExecTimeout>()("ExecTimeout", {
  sandboxId: Schema.String,
  argv: Schema.Array(Schema.String),
  timeoutMillis: Schema.Finite,
  /** How its processes were reached; `pending-paused`: they die when the sandbox is resumed; `not-killed`: see `detail`. */
  rung: KillRung,
  /** Why the kill failed; empty when it did not. */
  detail: Schema.String,
  ...output
}) {
  readonly retryable = false
  override get message() {
    const fate = fateOf(this.rung, this.detail)
    return `Could not finish ${quoted(this.argv).join(" ")} in sandbox ${this.sandboxId}: no end within ${this.timeoutMillis} ms; ${fate}.\nGive it a longer timeout, or look at its output so far:\n${tail(this.stdout)}${tail(this.stderr)}`
  }
}

/** `execOk`: the command ended with another code than 0. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  sandboxId: Schema.String,
  argv: Schema.Array(Schema.String),
  /** 128 + n for a death by signal n. */
  exitCode: Schema.Int,
  durationMillis: Schema.Finite,
  ...output
}) {
  readonly retryable = false
  override get message() {
    return `Could not run ${quoted(this.argv).join(" ")} in sandbox ${this.sandboxId}: exit code ${this.exitCode} after ${Math.round(this.durationMillis)} ms.\nIts output:\n${tail(this.stdout)}${tail(this.stderr)}`
  }
}

const tailCharacters = 2000
const tail = (text: string) => (text === "" ? "" : `${text.slice(-tailCharacters).trimEnd()}\n`)

/** What every operation on a process inside may fail with. */
export type ProcessError =
  | SandboxNotRunning
  | CommandNotFound
  | CallError
  | ObjectNotFound
  | EngineConflict
  | InvalidRequest
  | ExecExitUnknown
  | AppendError

export type ExecError = ProcessError | ExecTimeout

export interface ExecDefaults {
  /** Of a command that names none. */
  readonly timeout: Duration.Input
  /** Of each captured stream, bytes. */
  readonly outputLimitBytes: number
}

/** 30 s, 1 MiB. */
export const defaults: ExecDefaults = { timeout: "30 seconds", outputLimitBytes: 1024 * 1024 }
