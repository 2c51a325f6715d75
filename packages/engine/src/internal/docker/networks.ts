/** Networks: bridges with a unique name. A 403 here is a conflict (endpoints still attached). */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { LabelFilter, NetworkSummary } from "../../Engine.ts"
import type { Connection } from "./connection.ts"
import type { Refusal } from "./errors.ts"
import { conflict, failure, notFound } from "./errors.ts"
import { resolveCreate } from "./lostReply.ts"
import { send, sendJson } from "./request.ts"
import { labelFilters, maybe, StringMap } from "./wire.ts"

const Network = Schema.Struct({
  Id: Schema.String,
  Name: Schema.String,
  Driver: maybe(Schema.String),
  Internal: maybe(Schema.Boolean),
  Labels: maybe(StringMap)
})

export const list = (connection: Connection, labels: LabelFilter) =>
  sendJson(
    connection,
    {
      operation: "list networks",
      method: "GET",
      path: ["networks"],
      query: { filters: labelFilters(labels) }
    },
    Schema.Array(Network)
  ).pipe(
    Effect.map((networks) =>
      networks.map((network): NetworkSummary => ({
        id: network.Id,
        name: network.Name,
        driver: network.Driver ?? "",
        internal: network.Internal ?? false,
        labels: network.Labels ?? {}
      }))
    ),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal)))
  )

interface CreateOptions {
  readonly name: string
  readonly internal: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly options?: Readonly<Record<string, string>>
}

/** The network of a create whose reply was lost. */
const created = (connection: Connection, options: CreateOptions) =>
  Effect.map(list(connection, options.labels), (networks) => {
    const found = networks.find(({ name }) => name === options.name)
    return found === undefined ? undefined : { Id: found.id }
  })

export const create = (connection: Connection, options: CreateOptions) =>
  resolveCreate(
    sendJson(
      connection,
      {
        operation: "create network",
        method: "POST",
        path: ["networks", "create"],
        body: {
          Name: options.name,
          Driver: "bridge",
          // Below API 1.44 a second network of the same name is made unless this is set.
          CheckDuplicate: true,
          Internal: options.internal,
          Labels: options.labels,
          Options: options.options
        }
      },
      Schema.Struct({ Id: Schema.String })
    ),
    options.labels,
    created(connection, options)
  ).pipe(
    Effect.map(({ Id }) => Id),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(conflict(refusal, options.name) ?? failure(refusal)))
  )

export const remove = (connection: Connection, id: string) =>
  send(connection, {
    operation: "remove network",
    method: "DELETE",
    path: ["networks", id]
  }).pipe(
    Effect.asVoid,
    Effect.catchTag("Refusal", (refusal) =>
      refusal.status === 404 ? Effect.void : Effect.fail(conflict(refusal, id) ?? failure(refusal))
    )
  )

/** The text says whether the network or the container is missing. */
const refused = (networkId: string, containerId: string) => (refusal: Refusal) =>
  Effect.fail(notFound(refusal, "network", networkId) ?? conflict(refusal, containerId) ?? failure(refusal))

export const attach = (
  connection: Connection,
  networkId: string,
  containerId: string,
  aliases: ReadonlyArray<string>
) =>
  send(connection, {
    operation: "connect container to network",
    method: "POST",
    path: ["networks", networkId, "connect"],
    body: { Container: containerId, EndpointConfig: { Aliases: aliases } }
  }).pipe(Effect.asVoid, Effect.catchTag("Refusal", refused(networkId, containerId)))

export const detach = (connection: Connection, networkId: string, containerId: string) =>
  send(connection, {
    operation: "disconnect container from network",
    method: "POST",
    path: ["networks", networkId, "disconnect"],
    body: { Container: containerId, Force: false }
  }).pipe(Effect.asVoid, Effect.catchTag("Refusal", refused(networkId, containerId)))
