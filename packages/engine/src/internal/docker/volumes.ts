/** Volumes. Creating an existing name is success in the engine; we refuse it when the existing one differs from what was asked. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { LabelFilter, VolumeSummary } from "../../Engine.ts"
import { EngineConflict } from "../../EngineError.ts"
import type { Connection } from "./connection.ts"
import { conflict, failure, invalid, notFound } from "./errors.ts"
import { send, sendJson } from "./request.ts"
import { labelFilters, maybe, StringMap } from "./wire.ts"

const Volume = Schema.Struct({
  Name: Schema.String,
  Driver: maybe(Schema.String),
  Mountpoint: maybe(Schema.String),
  Labels: maybe(StringMap),
  Options: maybe(StringMap)
})

const toVolume = (wire: typeof Volume.Type): VolumeSummary => ({
  name: wire.Name,
  driver: wire.Driver ?? "",
  mountpoint: wire.Mountpoint ?? "",
  labels: wire.Labels ?? {},
  options: wire.Options ?? {}
})

export const list = (connection: Connection, labels: LabelFilter) =>
  sendJson(
    connection,
    {
      operation: "list volumes",
      method: "GET",
      path: ["volumes"],
      query: { filters: labelFilters(labels) }
    },
    Schema.Struct({ Volumes: maybe(Schema.Array(Volume)) })
  ).pipe(
    Effect.map(({ Volumes }) => (Volumes ?? []).map(toVolume)),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal)))
  )

export const inspect = (connection: Connection, name: string) =>
  sendJson(connection, { operation: "inspect volume", method: "GET", path: ["volumes", name] }, Volume).pipe(
    Effect.map(toVolume),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(notFound(refusal, "volume", name) ?? failure(refusal)))
  )

interface CreateOptions {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly driverOptions?: Readonly<Record<string, string>>
}

const covers = (have: Readonly<Record<string, string>>, want: Readonly<Record<string, string>>) =>
  Object.entries(want).every(([key, value]) => have[key] === value)

export const create = (connection: Connection, options: CreateOptions) =>
  sendJson(
    connection,
    {
      operation: "create volume",
      method: "POST",
      path: ["volumes", "create"],
      body: {
        Name: options.name,
        Driver: "local",
        Labels: options.labels,
        DriverOpts: options.driverOptions
      }
    },
    Volume
  ).pipe(
    Effect.map(toVolume),
    Effect.catchTag("Refusal", (refusal) =>
      Effect.fail(conflict(refusal, options.name) ?? invalid(refusal) ?? failure(refusal))
    ),
    Effect.filterOrFail(
      (volume) => covers(volume.labels, options.labels) && covers(volume.options, options.driverOptions ?? {}),
      () =>
        new EngineConflict({
          operation: "create volume",
          id: options.name,
          reason: "name-in-use",
          detail: "a volume of that name exists with other labels or options"
        })
    )
  )

export const remove = (connection: Connection, name: string) =>
  send(connection, {
    operation: "remove volume",
    method: "DELETE",
    path: ["volumes", name]
  }).pipe(
    Effect.asVoid,
    Effect.catchTag("Refusal", (refusal) =>
      refusal.status === 404 ? Effect.void : Effect.fail(conflict(refusal, name) ?? failure(refusal))
    )
  )
