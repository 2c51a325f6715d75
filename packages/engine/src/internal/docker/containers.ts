/** Container lifecycle calls. 304 and a 404 of a removal are success; every other status is told apart by operation. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { ContainerSpec, ContainerUpdate } from "../../ContainerSpec.ts"
import type { LabelFilter } from "../../Engine.ts"
import { EngineFailure, EngineProtocolError, EngineTimeout } from "../../EngineError.ts"
import type { Connection } from "./connection.ts"
import { Inspect, Summaries, toInspect, toSummaries } from "./containerInspect.ts"
import type { Refusal } from "./errors.ts"
import { conflict, failure, invalid, notFound } from "./errors.ts"
import { encodeHost } from "./hostConfig.ts"
import type { Look } from "./lostReply.ts"
import { bears, resolveCreate, resolveLost } from "./lostReply.ts"
import type { Call } from "./request.ts"
import { defaultTimeoutMillis, send, sendJson } from "./request.ts"
import { labelFilters, maybe, Strings } from "./wire.ts"

const changed = (id: string) => (refusal: Refusal) =>
  Effect.fail(notFound(refusal, "container", id) ?? conflict(refusal, id) ?? failure(refusal))

const found = (id: string) => (refusal: Refusal) => Effect.fail(notFound(refusal, "container", id) ?? failure(refusal))

const post = (operation: string, id: string, verb: string, more?: Partial<Call>): Call => ({
  operation,
  method: "POST",
  path: ["containers", id, verb],
  ...more
})

const healthcheck = (spec: ContainerSpec["healthcheck"]) => {
  if (spec === undefined) return undefined
  if (spec === "none") return { Test: ["NONE"] }
  return {
    Test: spec.test,
    Interval: Math.round(spec.intervalMillis * 1e6),
    Timeout: Math.round(spec.timeoutMillis * 1e6),
    Retries: spec.retries
  }
}

const createBody = (spec: ContainerSpec) => ({
  Image: spec.image,
  Entrypoint: spec.entrypoint,
  Cmd: spec.command,
  Env: spec.env && Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
  Labels: spec.labels,
  User: spec.user,
  WorkingDir: spec.workingDir,
  Hostname: spec.hostname,
  StopSignal: spec.stopSignal,
  StopTimeout: spec.stopTimeoutSeconds,
  NetworkDisabled: spec.networkDisabled,
  OpenStdin: spec.openStdin,
  Tty: false,
  Healthcheck: healthcheck(spec.healthcheck),
  HostConfig: encodeHost(spec.host ?? {}),
  NetworkingConfig:
    spec.networkAliases === undefined || spec.host?.networkMode === undefined
      ? undefined
      : { EndpointsConfig: { [spec.host.networkMode]: { Aliases: spec.networkAliases } } }
})

const Created = Schema.Struct({ Id: Schema.String, Warnings: maybe(Strings) })

/** The container of a create whose reply was lost: of its name, with all its labels, and never started. */
const created = (connection: Connection, spec: ContainerSpec) =>
  inspectRaw(connection, spec.name).pipe(
    Effect.map(({ Id, Config, State }) =>
      State.Status === "created" && bears(Config.Labels, spec.labels ?? {}) ? { Id, Warnings: undefined } : undefined
    ),
    Effect.catchTag("ObjectNotFound", () => Effect.undefined)
  )

/** Warnings (a limit that the kernel lacks) go to the log: the container exists all the same. */
export const create = (connection: Connection, spec: ContainerSpec) =>
  resolveCreate<typeof Created.Type>(
    sendJson(
      connection,
      {
        operation: "create container",
        method: "POST",
        path: ["containers", "create"],
        query: { name: spec.name },
        body: createBody(spec)
      },
      Created
    ),
    spec.labels,
    created(connection, spec)
  ).pipe(
    Effect.tap(({ Warnings }) =>
      Effect.forEach(Warnings ?? [], (warning) => Effect.logWarning(`container ${spec.name}: ${warning}`))
    ),
    Effect.map(({ Id }) => Id),
    Effect.catchTag("Refusal", (refusal) =>
      Effect.fail(
        notFound(refusal, "image", spec.image) ?? conflict(refusal, spec.name) ?? invalid(refusal) ?? failure(refusal)
      )
    )
  )

type State = typeof Inspect.Type.State

/** A post whose lost reply the container's state explains. */
const changeState = (connection: Connection, call: Call, id: string, explain: (state: State) => Look<void>) =>
  resolveLost(
    call.operation,
    Effect.asVoid(send(connection, call)),
    Effect.suspend(() => Effect.map(inspectRaw(connection, id), ({ State }) => explain(State)))
  )

/** One that has ended may have ended because of this start, or before it. */
const explainStart = (state: State): Look<void> => {
  if (state.Running) return { done: undefined }
  return state.Status === "created" ? "again" : "unknown"
}

export const start = (connection: Connection, id: string) =>
  changeState(connection, post("start container", id, "start", { alsoOk: [304] }), id, explainStart).pipe(
    // The command's fault first: older engines send it as 404 or 500.
    Effect.catchTag("Refusal", (refusal) =>
      Effect.fail(invalid(refusal) ?? notFound(refusal, "container", id) ?? conflict(refusal, id) ?? failure(refusal))
    )
  )

/** The call is long by design: the engine answers when the container is down, at the latest `graceSeconds` and a kill later. */
export const stop = (connection: Connection, id: string, graceSeconds: number) =>
  send(
    connection,
    post("stop container", id, "stop", {
      query: { t: Math.ceil(graceSeconds) },
      alsoOk: [304],
      timeoutMillis: Math.ceil(graceSeconds) * 1000 + defaultTimeoutMillis
    })
  ).pipe(Effect.asVoid, Effect.catchTag("Refusal", found(id)))

export const kill = (connection: Connection, id: string, signal: string) =>
  send(connection, post("kill container", id, "kill", { query: { signal } })).pipe(
    Effect.asVoid,
    Effect.catchTag("Refusal", changed(id))
  )

export const pause = (connection: Connection, id: string, verb: "pause" | "unpause") =>
  changeState(connection, post(`${verb} container`, id, verb), id, (state) =>
    (state.Paused === true) === (verb === "pause") ? { done: undefined } : "again"
  ).pipe(Effect.catchTag("Refusal", changed(id)))

export const inspectRaw = (connection: Connection, id: string) =>
  sendJson(
    connection,
    { operation: "inspect container", method: "GET", path: ["containers", id, "json"] },
    Inspect
  ).pipe(Effect.catchTag("Refusal", found(id)))

export const inspect = (connection: Connection, id: string) => Effect.map(inspectRaw(connection, id), toInspect)

/** Another remove is under way: it succeeded when the container is gone. */
const awaitGone = (connection: Connection, id: string) =>
  inspectRaw(connection, id).pipe(
    Effect.as(false),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed(true)),
    Effect.repeat({
      until: (gone) => gone,
      schedule: Schedule.exponential("20 millis").pipe(
        Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.millis(500))))
      )
    }),
    Effect.asVoid,
    Effect.timeoutOrElse({
      duration: defaultTimeoutMillis,
      orElse: () =>
        Effect.fail(new EngineTimeout({ operation: "remove container", timeoutMillis: defaultTimeoutMillis }))
    })
  )

export const remove = (connection: Connection, id: string) =>
  send(connection, {
    operation: "remove container",
    method: "DELETE",
    path: ["containers", id],
    // Anonymous volumes leak without `v`.
    query: { force: true, v: true }
  }).pipe(
    Effect.asVoid,
    Effect.catchTag("Refusal", (refusal) => {
      if (refusal.status === 404) return Effect.void
      const refused = conflict(refusal, id)
      return refused?.reason === "removal-in-progress"
        ? awaitGone(connection, id)
        : Effect.fail(refused ?? failure(refusal))
    })
  )

export const list = (connection: Connection, labels: LabelFilter) =>
  sendJson(
    connection,
    {
      operation: "list containers",
      method: "GET",
      path: ["containers", "json"],
      query: { all: true, filters: labelFilters(labels) }
    },
    Summaries
  ).pipe(
    Effect.map(toSummaries),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal)))
  )

export const update = (connection: Connection, id: string, change: ContainerUpdate) =>
  send(
    connection,
    post("update container", id, "update", {
      body: {
        Memory: change.memoryBytes,
        MemorySwap: change.memorySwapBytes,
        NanoCpus: change.nanoCpus,
        PidsLimit: change.pidsLimit
      }
    })
  ).pipe(Effect.asVoid, Effect.catchTag("Refusal", changed(id)))

const Waited = Schema.Struct({
  StatusCode: Schema.Finite,
  Error: maybe(Schema.Struct({ Message: maybe(Schema.String) }))
})

export const wait = (connection: Connection, id: string) =>
  sendJson(
    connection,
    post("wait for container", id, "wait", {
      query: { condition: "not-running" },
      timeoutMillis: "none"
    }),
    Waited
  ).pipe(
    Effect.catchTag("Refusal", found(id)),
    Effect.flatMap(({ StatusCode, Error }) =>
      Error?.Message
        ? Effect.fail(
            new EngineFailure({
              operation: "wait for container",
              status: 500,
              detail: Error.Message
            })
          )
        : Effect.succeed({ exitCode: StatusCode })
    )
  )

const Top = Schema.Struct({
  Titles: Strings,
  Processes: maybe(Schema.Array(Strings))
})

const toProcesses = (top: typeof Top.Type) => {
  const pid = top.Titles.indexOf("PID")
  const parent = top.Titles.indexOf("PPID")
  if (pid < 0 || parent < 0) {
    return Effect.fail(
      new EngineProtocolError({
        operation: "list processes of container",
        detail: `the columns are ${top.Titles.join(", ")}`
      })
    )
  }
  return Effect.succeed(
    (top.Processes ?? []).map((row) => ({
      hostPid: Number(row[pid]),
      parentPid: Number(row[parent]),
      command: row.at(-1) ?? ""
    }))
  )
}

export const top = (connection: Connection, id: string) =>
  sendJson(
    connection,
    {
      operation: "list processes of container",
      method: "GET",
      path: ["containers", id, "top"],
      query: { ps_args: "-eo pid,ppid,args" }
    },
    Top
  ).pipe(Effect.catchTag("Refusal", changed(id)), Effect.flatMap(toProcesses))
