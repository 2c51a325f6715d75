/**
 * What can go wrong between us and a container engine. Callers route on `_tag`, `reason` and `retryable`; the text is for people.
 */
import * as Schema from "effect/Schema"
import type { CircuitOpen } from "./CircuitBreaker.ts"

/** Why the engine could not be reached; each has its own remedy. */
export const UnavailableReason = Schema.Literals([
  "no-socket",
  "permission-denied",
  "refused",
  "connection-lost",
  "other"
])
export type UnavailableReason = typeof UnavailableReason.Type

const remedies: Record<UnavailableReason, string> = {
  "no-socket":
    "Nothing listens there: start the engine, set DOCKER_HOST, or let sbx start its private one (`./sbx engine up`).",
  "permission-denied": "Run as root or join the group that owns the socket.",
  refused: "The socket is stale: restart the engine that owns it.",
  "connection-lost": "The engine stopped or restarted during the call: look at its log, then repeat the command.",
  other: "Run `./sbx doctor` for details."
}

/** The engine did not answer: no connection, or it was lost. Always retryable for calls that are safe to repeat. */
export class EngineUnavailable extends Schema.TaggedError<EngineUnavailable>()("EngineUnavailable", {
  operation: Schema.String,
  endpoint: Schema.String,
  reason: UnavailableReason,
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `Could not ${this.operation} at ${this.endpoint}: ${this.detail}.\n${remedies[this.reason]}`
  }
}

/**
 * What was waited for: a connection; the head of the answer; the rest of it; or, on a stream that may be silent for long, the
 * next bytes, when the engine does not answer a ping either.
 */
export const TimeoutStage = Schema.Literals(["connect", "head", "body", "idle"])
export type TimeoutStage = typeof TimeoutStage.Type

const overdue: Record<TimeoutStage, string> = {
  connect: "no connection",
  head: "no answer",
  body: "no end of the answer",
  idle: "nothing on the stream"
}

/** The engine accepted the call but did not finish it in time. The effect may still happen later (moby#24858). */
export class EngineTimeout extends Schema.TaggedError<EngineTimeout>()("EngineTimeout", {
  operation: Schema.String,
  /** The limit that was passed. */
  timeoutMillis: Schema.Finite,
  /** Absent where it was not this adapter that waited. */
  stage: Schema.optionalKey(TimeoutStage)
}) {
  readonly retryable = true
  override get message() {
    const missing = overdue[this.stage ?? "head"]
    const later = this.stage === "connect" ? "" : "; the call may still take effect later"
    return `Could not ${this.operation}: ${missing} within ${this.timeoutMillis} ms.\nThe engine may be overloaded${later}.`
  }
}

/** The engine answered with a status that no other error describes. `status` is the HTTP code; 5xx is retryable. */
export class EngineFailure extends Schema.TaggedError<EngineFailure>()("EngineFailure", {
  operation: Schema.String,
  status: Schema.Int,
  detail: Schema.String
}) {
  get retryable() {
    return this.status >= 500
  }
  override get message() {
    return `Could not ${this.operation}: the engine answered ${this.status}: ${this.detail}`
  }
}

/** The engine's answer broke its own protocol: truncated stream, undecodable JSON, missing field. */
export class EngineProtocolError extends Schema.TaggedError<EngineProtocolError>()("EngineProtocolError", {
  operation: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not ${this.operation}: the answer was not understood: ${this.detail}.\nRun \`./sbx doctor\` to see whether this engine version is supported.`
  }
}

/** Any call may fail with these. `CircuitOpen` is that the call was not sent, because the engine has just been found dead. */
export type CallError = EngineUnavailable | EngineTimeout | EngineFailure | EngineProtocolError | CircuitOpen

export const ObjectKind = Schema.Literals(["container", "image", "exec", "network", "volume", "path"])
export type ObjectKind = typeof ObjectKind.Type

/** The object named does not exist (HTTP 404). */
export class ObjectNotFound extends Schema.TaggedError<ObjectNotFound>()("ObjectNotFound", {
  operation: Schema.String,
  kind: ObjectKind,
  id: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not ${this.operation}: there is no ${this.kind} ${this.id}.`
  }
}

export const ConflictReason = Schema.Literals([
  "name-in-use",
  "not-running",
  "already-running",
  "paused",
  "not-paused",
  "already-paused",
  "in-use",
  "removal-in-progress",
  "exec-already-started",
  "other"
])
export type ConflictReason = typeof ConflictReason.Type

/** The object is in a state that forbids the call (HTTP 409, or 304 where that matters). */
export class EngineConflict extends Schema.TaggedError<EngineConflict>()("EngineConflict", {
  operation: Schema.String,
  id: Schema.String,
  reason: ConflictReason,
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not ${this.operation} ${this.id}: ${this.reason}: ${this.detail}`
  }
}

/** What an exec fails with whose gate did not open. */
export const execWithheld = (containerId: string) =>
  new EngineConflict({
    operation: "start exec in container",
    id: containerId,
    reason: "other",
    detail: "its caller withheld it"
  })

export const InvalidReason = Schema.Literals([
  "command-not-found",
  "command-not-executable",
  "read-only",
  "bad-parameter",
  "other"
])
export type InvalidReason = typeof InvalidReason.Type

/** The engine refused the request's content (HTTP 400, or an older engine's 500 with the same meaning). */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  operation: Schema.String,
  reason: InvalidReason,
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not ${this.operation}: ${this.reason}: ${this.detail}`
  }
}

/** The engine's API is older than we speak, or newer than it lets us be. */
export class ApiVersionUnsupported extends Schema.TaggedError<ApiVersionUnsupported>()("ApiVersionUnsupported", {
  endpoint: Schema.String,
  serverVersion: Schema.String,
  minimum: Schema.String,
  /** Both present when the engine refuses every version that sbx speaks as too old. */
  serverMinimum: Schema.optionalKey(Schema.String),
  maximum: Schema.optionalKey(Schema.String)
}) {
  readonly retryable = false
  override get message() {
    if (this.serverMinimum !== undefined) {
      return `Could not use the engine at ${this.endpoint}: it refuses API below ${this.serverMinimum}, sbx speaks at most ${this.maximum}.\nUpdate sbx.`
    }
    return `Could not use the engine at ${this.endpoint}: it speaks API ${this.serverVersion}, sbx needs at least ${this.minimum}.\nUpdate the engine (Docker 20.10 or newer).`
  }
}

export type EngineError = CallError | ObjectNotFound | EngineConflict | InvalidRequest | ApiVersionUnsupported
