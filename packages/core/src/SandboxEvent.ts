/**
 * The facts of one sandbox, in the journal's category `sandbox`, stream `sandbox/<sandbox id>`.
 * Intents end in `Intended` and are durable before the engine is called. Carries digests of output, never the output itself.
 * An upload needs no intent: what it leaves lies in the workspace, which is removed as a whole.
 */
import * as EventFamily from "@sbx/journal/EventFamily"
import * as Schema from "effect/Schema"
import { SandboxSpec } from "./SandboxSpec.ts"

/** Category of the streams; see {@link SandboxEvent}. */
export const category = "sandbox"

/** Every event says when its fact was learnt, milliseconds since the epoch; the clock is read by the caller. */
const at = { atMillis: Schema.Finite }

/** How one output stream of an exec ended up: all bytes counted and digested, `truncated` when the captured part is shorter. */
export const OutputDigest = Schema.Struct({
  bytes: Schema.Int,
  /** Lower-case hex of the bytes that were received, captured or not. */
  sha256: Schema.String,
  truncated: Schema.Boolean
})
export type OutputDigest = typeof OutputDigest.Type

/** The rung of the kill ladder that ended a process; see `KillRung` in `Sandbox.ts`. `not-killed`: every rung failed. */
export const KillRung = Schema.Literals([
  "host-pid",
  "kill-exec",
  "container",
  "already-dead",
  "pending-paused",
  "not-killed"
])

/** `give-up`: left as it is, for a person to look at. `terminate`: removed. */
export const RecoveryDecision = Schema.Literals(["restart", "recreate", "terminate", "give-up"])
export type RecoveryDecision = typeof RecoveryDecision.Type

/** What a failure was classified as; see `FailureClass`. */
export const FailureKind = Schema.Literals([
  "completed",
  "error",
  "not-started",
  "signal",
  "out-of-memory",
  "start-failed",
  "vanished",
  "unhealthy"
])
export type FailureKind = typeof FailureKind.Type

/** What a health check says; `unknown` while it has not said anything, or cannot. */
export const HealthStatus = Schema.Literals(["unknown", "healthy", "degraded", "unhealthy"])
export type HealthStatus = typeof HealthStatus.Type

const reason = { reason: Schema.String }

/** Fields of each intent; the command that asks for it carries the same. */
export const intentFields = {
  Create: {
    ...at,
    sandboxId: Schema.String,
    spec: SandboxSpec,
    /** `sha256:<hex>` of the spec's canonical JSON. */
    specDigest: Schema.String,
    containerName: Schema.String,
    volumeName: Schema.String,
    /** Numeric uid and gid leased for this sandbox. */
    uid: Schema.Int,
    /** 1-based; a replacement container of the same sandbox is the next attempt. */
    attempt: Schema.Int,
    /** Container that this attempt replaces; it is removed before the new one is created. */
    replaces: Schema.optionalKey(Schema.String),
    /** Labels of the engine object, complete. */
    labels: Schema.Record(Schema.String, Schema.String),
    /** Until then "not found" may mean "not yet created" (moby#24858). */
    deadlineMillis: Schema.Finite
  },
  Start: at,
  Pause: at,
  Resume: at,
  Stop: { ...at, ...reason, graceMillis: Schema.Int },
  /** A restart is a stop and a start; this one says that the start is wanted, so that it survives a crash between the two. */
  Restart: { ...at, ...reason },
  Exec: {
    ...at,
    /** Our own key of this exec, unique in the stream; also the marker in the process's environment. */
    execKey: Schema.String,
    /** As run, with redacted arguments replaced by `<redacted>`. */
    argv: Schema.Array(Schema.String),
    /** `sha256:<hex>` of the true argv, NUL-joined. */
    argvDigest: Schema.String,
    user: Schema.String,
    cwd: Schema.String,
    timeoutMillis: Schema.Finite
  },
  Remove: { ...at, ...reason }
}

const intents = {
  CreateIntended: intentFields.Create,
  StartIntended: intentFields.Start,
  PauseIntended: intentFields.Pause,
  ResumeIntended: intentFields.Resume,
  StopIntended: intentFields.Stop,
  RestartIntended: intentFields.Restart,
  ExecIntended: intentFields.Exec,
  RemoveIntended: intentFields.Remove
}

/** The intents: a call to the engine follows. */
export const IntentEvent = Schema.TaggedUnion(intents)
export type IntentEvent = typeof IntentEvent.Type

const execKey = { execKey: Schema.String }
const transfer = { ...at, path: Schema.String, files: Schema.Int, bytes: Schema.Int, sha256: Schema.String }

const recovery = { attempt: Schema.Int, decision: RecoveryDecision }

const outcomes = {
  Created: { ...at, containerId: Schema.String, createdAtMillis: Schema.Finite },
  /** The engine refused; whatever was made for this attempt (volume, network) is removed again or found by its labels. */
  CreateFailed: { ...at, ...reason },
  /** Nothing by that name appeared until the create deadline. */
  CreateAbandoned: { ...at, ...reason },
  /** `startedAtMillis` is the engine's `State.StartedAt`, not our clock. */
  Started: { ...at, startedAtMillis: Schema.Finite },
  StartFailed: { ...at, ...reason },
  Paused: at,
  PauseFailed: { ...at, ...reason },
  Resumed: at,
  ResumeFailed: { ...at, ...reason },
  Stopped: {
    ...at,
    exitCode: Schema.Int,
    /** False when the grace time ran out; absent when a recovery found it stopped and cannot know. */
    graceful: Schema.optionalKey(Schema.Boolean),
    finishedAtMillis: Schema.Finite
  },
  /** The engine did not confirm; the next listing decides what is true. */
  StopFailed: { ...at, ...reason },
  /** PID 1 ended without our asking. `finishedAtMillis` is the engine's. */
  Died: { ...at, exitCode: Schema.Int, oomKilled: Schema.Boolean, finishedAtMillis: Schema.Finite },
  /** The kernel killed a process of the sandbox for memory; PID 1 may live on. */
  OomKilled: { ...at, engineEventId: Schema.String },
  /** The container is gone without our asking. */
  Vanished: { ...at, ...reason },
  ExecStarted: { ...at, ...execKey, execId: Schema.String },
  ExecExited: {
    ...at,
    ...execKey,
    exitCode: Schema.Int,
    durationMillis: Schema.Finite,
    stdout: OutputDigest,
    stderr: OutputDigest
  },
  ExecFailed: { ...at, ...execKey, ...reason },
  ExecTimedOut: {
    ...at,
    ...execKey,
    durationMillis: Schema.Finite,
    rung: KillRung,
    stdout: OutputDigest,
    stderr: OutputDigest
  },
  /** Nobody saw its end or has its output. `exitCode` is there where the engine itself still knew it; it is never guessed. */
  ExecLost: { ...at, ...execKey, ...reason, exitCode: Schema.optionalKey(Schema.Int) },
  /** `sha256` of the tar entries' digest list for a tree, of the content for one file. */
  FileUploaded: transfer,
  FileDownloaded: transfer,
  RecoveryDecided: {
    ...at,
    ...reason,
    decision: RecoveryDecision,
    attempt: Schema.Int,
    delayMillis: Schema.Finite
  },
  /** Follows the fact that showed the failure: `Died`, `Vanished`, `StartFailed`, `CreateFailed`, `HealthChanged`. */
  FailureClassified: {
    ...at,
    ...reason,
    failure: FailureKind,
    /** The engine's time of an end; else when it was first noticed. */
    failedAtMillis: Schema.Finite,
    /** How long it had run; absent when it had not. */
    ranMillis: Schema.optionalKey(Schema.Finite),
    exitCode: Schema.optionalKey(Schema.Int),
    /** Out-of-memory kills that count as its cause, by the kernel's counter and the engine's events. */
    oomKills: Schema.Int
  },
  RecoveryAttempted: { ...at, ...recovery },
  /** `recoveredAtMillis` is the engine's `State.StartedAt`. */
  Recovered: {
    ...at,
    ...recovery,
    failedAtMillis: Schema.Finite,
    recoveredAtMillis: Schema.Finite,
    downMillis: Schema.Finite,
    workspaceKept: Schema.Boolean
  },
  RecoveryFailed: { ...at, ...recovery, ...reason },
  /** Somebody else had already done something about it when its turn came. */
  RecoverySkipped: { ...at, ...recovery, ...reason },
  /** A check changed its mind, or began or stopped flapping. */
  HealthChanged: {
    ...at,
    ...reason,
    check: Schema.String,
    role: Schema.String,
    status: HealthStatus,
    flapping: Schema.Boolean
  },
  /** Made ahead, for whoever asks next; so far nobody has used it. */
  Pooled: at,
  /** Taken from the pool, for good. */
  Acquired: { ...at, idleMillis: Schema.Finite },
  Removed: at,
  RemoveFailed: { ...at, ...reason },
  /** Engine objects of a stream without an owner were removed. */
  OrphanReaped: { ...at, ...reason, objects: Schema.Array(Schema.String) },
  /** The host or engine that held it will not come back. */
  HostLost: { ...at, ...reason }
}

/** What became of an intent, and what was seen at the engine without one. */
export const OutcomeEvent = Schema.TaggedUnion(outcomes)
export type OutcomeEvent = typeof OutcomeEvent.Type

/** Everything that can happen to a sandbox. */
export const SandboxEvent = Schema.TaggedUnion({ ...intents, ...outcomes })
export type SandboxEvent = typeof SandboxEvent.Type

/** Typed append, read and live stream of the category. */
export const SandboxEvents = EventFamily.make({ category, union: SandboxEvent })
