/**
 * From what the transport or the engine says to our typed errors. Status and operation decide; the text is read only where engines
 * offer nothing else (moby keeps these sentences stable, Podman copies them).
 */
import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import type { CallError, ConflictReason, InvalidReason, ObjectKind } from "../../EngineError.ts"
import {
  EngineConflict,
  EngineFailure,
  EngineProtocolError,
  EngineTimeout,
  EngineUnavailable,
  InvalidRequest,
  ObjectNotFound
} from "../../EngineError.ts"
import { connectMillis, ConnectTimeout } from "./agent.ts"

/** An answer outside the statuses that the operation counts as success. Never leaves the adapter. */
export class Refusal extends Data.TaggedError("Refusal")<{
  readonly operation: string
  readonly status: number
  /** `json.message` of the engine, else the start of the body; empty for HEAD. */
  readonly detail: string
}> {}

const reasonOfCode: Record<string, EngineUnavailable["reason"]> = {
  ENOENT: "no-socket",
  ENOTDIR: "no-socket",
  EACCES: "permission-denied",
  EPERM: "permission-denied",
  ECONNREFUSED: "refused",
  ECONNRESET: "connection-lost",
  EPIPE: "connection-lost",
  ABORT_ERR: "connection-lost",
  ERR_STREAM_PREMATURE_CLOSE: "connection-lost",
  ERR_STREAM_DESTROYED: "connection-lost"
}

/** Errors of sockets and of Node's HTTP parser. */
export const transportError = (
  cause: unknown,
  operation: string,
  endpoint: string
): EngineUnavailable | EngineProtocolError | EngineTimeout => {
  if (cause instanceof ConnectTimeout) {
    return new EngineTimeout({ operation, timeoutMillis: connectMillis, stage: "connect" })
  }
  const detail = cause instanceof Error ? cause.message : String(cause)
  const code = Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : ""
  if (code.startsWith("HPE_")) {
    return new EngineProtocolError({ operation, detail: `not HTTP (${code}: ${detail})` })
  }
  const reason = reasonOfCode[code] ?? (detail.includes("closed before") ? "connection-lost" : "other")
  return new EngineUnavailable({ operation, endpoint, reason, detail })
}

export const failure = (refusal: Refusal): CallError =>
  new EngineFailure({
    operation: refusal.operation,
    status: refusal.status,
    detail: refusal.detail === "" ? "(no text)" : refusal.detail
  })

/** 404s also name things that the call only mentions: the network of a start, the neighbour of a shared namespace. */
const namedKind = (detail: string): { kind: ObjectKind; id: string } | undefined => {
  const container = /No such container: (\S+)/i.exec(detail)
  if (container?.[1] !== undefined) return { kind: "container", id: container[1] }
  const network = /network (\S+) not found/i.exec(detail)
  if (network?.[1] !== undefined) return { kind: "network", id: network[1] }
  return undefined
}

export const notFound = (refusal: Refusal, kind: ObjectKind, id: string) => {
  if (refusal.status !== 404) return undefined
  const named = namedKind(refusal.detail)
  return named === undefined || named.kind === kind
    ? new ObjectNotFound({ operation: refusal.operation, kind, id })
    : new ObjectNotFound({ operation: refusal.operation, ...named })
}

const conflictTexts: ReadonlyArray<readonly [RegExp, ConflictReason]> = [
  [/already in use by container|already exists|must be unique/i, "name-in-use"],
  [/removal of container .* is already in progress|marked for removal/i, "removal-in-progress"],
  [/is already paused/i, "already-paused"],
  [/is not paused/i, "not-paused"],
  [/has already run|exec command .* is already running/i, "exec-already-started"],
  [/is not running|is restarting/i, "not-running"],
  [/is paused|paused container/i, "paused"],
  [/in use|being used|has active endpoints|is using/i, "in-use"],
  [/is running|already running|a running container/i, "already-running"]
]

/** 409, 403 of networks, and the 500 that older engines send with the same text. */
export const conflict = (refusal: Refusal, id: string) => {
  const reason = conflictTexts.find(([text]) => text.test(refusal.detail))?.[1]
  const known = refusal.status === 409 || refusal.status === 403
  if (!known && (refusal.status !== 500 || reason === undefined)) return undefined
  return new EngineConflict({
    operation: refusal.operation,
    id,
    reason: reason ?? "other",
    detail: refusal.detail
  })
}

const commandFault = (detail: string): InvalidReason | undefined => {
  // runc: exec: "x": executable file not found in $PATH / stat /x: no such file or directory / permission denied
  if (!/OCI runtime|starting container process|unable to start container process/i.test(detail)) {
    return undefined
  }
  if (/executable file not found|no such file or directory/i.test(detail)) {
    return "command-not-found"
  }
  return /permission denied|exec format error|is a directory/i.test(detail) ? "command-not-executable" : undefined
}

/** 400, a read-only root's 403, and the 404/500 that older engines send for a command that cannot run (moby#45795). */
export const invalid = (refusal: Refusal) => {
  const fault = commandFault(refusal.detail)
  const readOnly = /read-only/i.test(refusal.detail) && [400, 403, 500].includes(refusal.status)
  if (refusal.status !== 400 && fault === undefined && !readOnly) return undefined
  return new InvalidRequest({
    operation: refusal.operation,
    reason: fault ?? (readOnly ? "read-only" : "bad-parameter"),
    detail: refusal.detail
  })
}
