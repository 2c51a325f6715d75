/**
 * One sample without the engine's one-second wait (`one-shot`, API 1.41). `precpu` is empty then and never used. What an engine or a
 * runtime does not report (Podman, gVisor, network none) is absent here, not zero.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ContainerStats } from "../../Engine.ts"
import type { Connection } from "./connection.ts"
import { failure, notFound } from "./errors.ts"
import { decodeJson, send } from "./request.ts"
import { maybe, parseTime, positive } from "./wire.ts"

const Counter = maybe(Schema.Finite)

const Stats = Schema.Struct({
  id: maybe(Schema.String),
  read: maybe(Schema.String),
  cpu_stats: maybe(
    Schema.Struct({
      cpu_usage: maybe(Schema.Struct({ total_usage: Counter })),
      system_cpu_usage: Counter,
      online_cpus: Counter,
      throttling_data: maybe(Schema.Struct({ throttled_periods: Counter, throttled_time: Counter }))
    })
  ),
  memory_stats: maybe(
    Schema.Struct({
      usage: Counter,
      max_usage: Counter,
      limit: Counter,
      stats: maybe(Schema.Record(Schema.String, Schema.Unknown))
    })
  ),
  pids_stats: maybe(Schema.Struct({ current: Counter, limit: Counter })),
  networks: maybe(Schema.Record(Schema.String, Schema.Struct({ rx_bytes: Schema.Finite, tx_bytes: Schema.Finite }))),
  blkio_stats: maybe(
    Schema.Struct({
      io_service_bytes_recursive: maybe(Schema.Array(Schema.Struct({ op: Schema.String, value: Schema.Finite })))
    })
  )
})
type Stats = typeof Stats.Type

/** cgroup "unlimited": 2^63 rounded down to a page, or MaxUint64 for pids. */
const unlimited = 2 ** 62

const toCpu = (wire: Stats["cpu_stats"]): ContainerStats["cpu"] => {
  // A running container has used some cpu time: zero is Go's value for "not set".
  const usageNanos = positive(wire?.cpu_usage?.total_usage)
  if (!wire || usageNanos === undefined) return undefined
  return {
    usageNanos,
    systemNanos: positive(wire.system_cpu_usage),
    onlineCpus: positive(wire.online_cpus),
    throttledPeriods: wire.throttling_data?.throttled_periods ?? undefined,
    throttledNanos: wire.throttling_data?.throttled_time ?? undefined
  }
}

const toMemory = (wire: Stats["memory_stats"], hostMemoryBytes: number): ContainerStats["memory"] => {
  const usageBytes = wire?.usage ?? undefined
  if (!wire || usageBytes === undefined) return undefined
  // `total_` is the hierarchy on cgroup v1; v2 has the plain name only (moby#40727).
  const inactive = wire.stats?.["total_inactive_file"] ?? wire.stats?.["inactive_file"]
  const limit = positive(wire.limit)
  return {
    usageBytes,
    inactiveFileBytes: typeof inactive === "number" ? inactive : undefined,
    limitBytes: limit === undefined || limit >= unlimited || limit >= hostMemoryBytes ? undefined : limit,
    maxUsageBytes: positive(wire.max_usage)
  }
}

const toPids = (wire: Stats["pids_stats"]): ContainerStats["pids"] => {
  const current = positive(wire?.current)
  const limit = positive(wire?.limit)
  if (current === undefined) return undefined
  return { current, limit: limit !== undefined && limit >= unlimited ? undefined : limit }
}

const toBlockIo = (wire: Stats["blkio_stats"]): ContainerStats["blockIo"] => {
  const entries = wire?.io_service_bytes_recursive ?? []
  if (entries.length === 0) return undefined
  const sum = (op: string) =>
    entries.filter((entry) => entry.op.toLowerCase() === op).reduce((total, entry) => total + entry.value, 0)
  return { readBytes: sum("read"), writeBytes: sum("write") }
}

const toStats = (wire: Stats, id: string, hostMemoryBytes: number): ContainerStats | "absent" => {
  const readAtMillis = parseTime(wire.read)
  if (readAtMillis === undefined) return "absent"
  return {
    containerId: wire.id ?? id,
    readAtMillis,
    cpu: toCpu(wire.cpu_stats),
    memory: toMemory(wire.memory_stats, hostMemoryBytes),
    pids: toPids(wire.pids_stats),
    network: wire.networks
      ? Object.entries(wire.networks).map(([name, counters]) => ({
          name,
          rxBytes: counters.rx_bytes,
          txBytes: counters.tx_bytes
        }))
      : undefined,
    blockIo: toBlockIo(wire.blkio_stats)
  }
}

export const stats = Effect.fnUntraced(function* (connection: Connection, id: string, hostMemoryBytes: number) {
  const operation = "read statistics of container"
  const { text } = yield* send(connection, {
    operation,
    method: "GET",
    path: ["containers", id, "stats"],
    query: { stream: false, "one-shot": true }
  }).pipe(Effect.catchTag("Refusal", (refusal) => Effect.fail(notFound(refusal, "container", id) ?? failure(refusal))))
  // Podman's stopped container has an empty body (podman#15218).
  if (text.trim() === "") return "absent" as const
  return toStats(yield* decodeJson(Stats)(operation, text), id, hostMemoryBytes)
})
