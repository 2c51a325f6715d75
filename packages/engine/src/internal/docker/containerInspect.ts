/** `GET /containers/{id}/json` and the list, decoded. Exit codes are read only from containers that have exited. */
import * as Schema from "effect/Schema"
import type { Mount } from "../../ContainerSpec.ts"
import type { ContainerInspect, ContainerNetwork, ContainerState, ContainerSummary } from "../../Engine.ts"
import { decodeHost, HostConfig, propagation } from "./hostConfig.ts"
import { maybe, parseTime, positive, present, StringMap, Strings } from "./wire.ts"

const Status = Schema.Literals(["created", "running", "paused", "restarting", "removing", "exited", "dead"])

const State = Schema.Struct({
  Status,
  Running: Schema.Boolean,
  Paused: maybe(Schema.Boolean),
  Restarting: maybe(Schema.Boolean),
  OOMKilled: maybe(Schema.Boolean),
  Pid: maybe(Schema.Finite),
  ExitCode: maybe(Schema.Finite),
  Error: maybe(Schema.String),
  StartedAt: maybe(Schema.String),
  FinishedAt: maybe(Schema.String),
  Health: maybe(Schema.Struct({ Status: maybe(Schema.String) }))
})

const MountPoint = Schema.Struct({
  Type: maybe(Schema.String),
  Name: maybe(Schema.String),
  Source: maybe(Schema.String),
  Destination: Schema.String,
  RW: maybe(Schema.Boolean),
  Propagation: maybe(Schema.String)
})

const Endpoint = Schema.Struct({
  NetworkID: maybe(Schema.String),
  IPAddress: maybe(Schema.String),
  Aliases: maybe(Strings)
})

export const Inspect = Schema.Struct({
  Id: Schema.String,
  Name: Schema.String,
  Created: Schema.String,
  Image: Schema.String,
  RestartCount: maybe(Schema.Finite),
  ExecIDs: maybe(Strings),
  State,
  HostConfig,
  Mounts: maybe(Schema.Array(MountPoint)),
  Config: Schema.Struct({
    User: maybe(Schema.String),
    Env: maybe(Strings),
    Labels: maybe(StringMap),
    Tty: maybe(Schema.Boolean)
  }),
  // The top-level IPAddress is gone since API 1.52; `Networks` is what lasts.
  NetworkSettings: maybe(Schema.Struct({ Networks: maybe(Schema.Record(Schema.String, Endpoint)) }))
})

export const Summaries = Schema.Array(
  Schema.Struct({
    Id: Schema.String,
    Names: maybe(Strings),
    Image: Schema.String,
    Labels: maybe(StringMap),
    State: Status,
    Created: Schema.Finite
  })
)

const health = (status: string | null | undefined): ContainerState["health"] =>
  (["starting", "healthy", "unhealthy"] as const).find((known) => known === status) ?? "none"

const toState = (state: typeof State.Type): ContainerState => {
  const finishedAtMillis = parseTime(state.FinishedAt)
  // Engines say 0 for a container that never ran, and keep the last code while it runs again.
  const exited = !state.Running && finishedAtMillis !== undefined
  return {
    status: state.Status,
    running: state.Running,
    paused: state.Paused ?? false,
    restarting: state.Restarting ?? false,
    oomKilled: state.OOMKilled ?? false,
    hostPid: positive(state.Pid),
    exitCode: exited ? (state.ExitCode ?? undefined) : undefined,
    error: state.Error ?? "",
    startedAtMillis: parseTime(state.StartedAt),
    finishedAtMillis,
    health: health(state.Health?.Status)
  }
}

const toMount = (mount: typeof MountPoint.Type): ReadonlyArray<Mount> => {
  const target = mount.Destination
  const readOnly = mount.RW === false
  switch (mount.Type) {
    case "volume":
      return [{ kind: "volume", source: mount.Name ?? "", target, readOnly }]
    case "bind":
      return [
        {
          kind: "bind",
          source: mount.Source ?? "",
          target,
          readOnly,
          ...present({ propagation: propagation(mount.Propagation) })
        }
      ]
    case "tmpfs":
      return [{ kind: "tmpfs", target }]
    default:
      return []
  }
}

const toNetwork = (endpoint: typeof Endpoint.Type): ContainerNetwork => ({
  networkId: endpoint.NetworkID ?? "",
  ipAddress: endpoint.IPAddress ?? "",
  aliases: endpoint.Aliases ?? []
})

/** Engines prefix names with a slash. */
const bareName = (name: string | undefined) => (name ?? "").replace(/^\//, "")

export const toInspect = (wire: typeof Inspect.Type): ContainerInspect => ({
  id: wire.Id,
  name: bareName(wire.Name),
  imageId: wire.Image,
  labels: wire.Config.Labels ?? {},
  env: wire.Config.Env ?? [],
  user: wire.Config.User ?? "",
  createdAtMillis: parseTime(wire.Created) ?? 0,
  restartCount: wire.RestartCount ?? 0,
  state: toState(wire.State),
  host: decodeHost(wire.HostConfig),
  mounts: wire.Mounts?.flatMap(toMount) ?? [],
  networks: Object.fromEntries(
    Object.entries(wire.NetworkSettings?.Networks ?? {}).map(([name, endpoint]) => [name, toNetwork(endpoint)])
  ),
  execIds: wire.ExecIDs ?? []
})

export const toSummaries = (wire: typeof Summaries.Type): ReadonlyArray<ContainerSummary> =>
  wire.map((summary) => ({
    id: summary.Id,
    name: bareName(summary.Names?.[0]),
    image: summary.Image,
    labels: summary.Labels ?? {},
    status: summary.State,
    createdAtMillis: summary.Created * 1000
  }))
