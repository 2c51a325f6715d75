/** What the engine tells about containers. */
import type {
  ContainerInspect,
  ContainerState,
  ContainerStats,
  ContainerStatus,
  ContainerSummary
} from "@sbx/engine/Engine"
import type { Mount } from "@sbx/engine/ContainerSpec"
import { environmentOf } from "./exits.ts"
import { isRunning } from "./lookup.ts"
import { mountsOf, volumeOf } from "./views.ts"
import type { Container, World } from "./world.ts"
import { tick, toMillis } from "./world.ts"

/** In moby's order: what runs is running, even while it is being removed. */
const statusOf = (found: Container): ContainerStatus => {
  if (isRunning(found)) return found.paused ? "paused" : "running"
  if (found.restarting) return "restarting"
  return found.removing ? "removing" : found.status
}

const stateOf = (found: Container): ContainerState => {
  const { finishedNanos, startedNanos } = found
  const running = isRunning(found) || found.restarting
  return {
    status: statusOf(found),
    running,
    paused: found.paused,
    restarting: found.restarting,
    oomKilled: found.oomKilled,
    hostPid: found.main?.hostPid,
    exitCode: !running && finishedNanos !== undefined ? found.exitCode : undefined,
    error: found.error,
    startedAtMillis: startedNanos === undefined ? undefined : toMillis(startedNanos),
    finishedAtMillis: finishedNanos === undefined ? undefined : toMillis(finishedNanos),
    health: "none"
  }
}

const mountPoints = (found: Container): ReadonlyArray<Mount> =>
  mountsOf(found).map((mount, index) => {
    const { target } = mount
    if (mount.kind === "tmpfs") return { kind: "tmpfs", target }
    const readOnly = mount.readOnly === true
    return mount.kind === "volume"
      ? { kind: "volume", source: volumeOf(found, mount, index), target, readOnly }
      : { kind: "bind", source: mount.source, target, readOnly, propagation: mount.propagation ?? "rprivate" }
  })

export const inspect = (found: Container): ContainerInspect => ({
  id: found.id,
  name: found.spec.name,
  imageId: found.image.id,
  labels: { ...found.image.labels, ...found.spec.labels },
  env: Object.entries(environmentOf(found)).map(([key, value]) => `${key}=${value}`),
  user: found.spec.user ?? found.image.user,
  createdAtMillis: found.createdAtMillis,
  restartCount: found.restartCount,
  state: stateOf(found),
  host: found.host,
  mounts: mountPoints(found),
  networks: Object.fromEntries(
    [...found.networks].map(([name, { networkId, ipAddress, aliases }]) => [name, { networkId, ipAddress, aliases }])
  ),
  execIds: [...found.execIds]
})

export const summary = (found: Container): ContainerSummary => ({
  id: found.id,
  name: found.spec.name,
  image: found.spec.image,
  labels: { ...found.image.labels, ...found.spec.labels },
  status: statusOf(found),
  // Lists tell whole seconds.
  createdAtMillis: Math.floor(found.createdAtMillis / 1000) * 1000
})

/** Simulated programs use one hundredth of a core and a mebibyte each. */
const cpuShare = 100n
const bytesEach = 1024 * 1024

const limit = (value: number | undefined) => (value === undefined || value <= 0 ? undefined : value)

const hasNetwork = (found: Container) => {
  const mode = found.host.networkMode ?? "default"
  return mode !== "none" && mode !== "host" && !mode.startsWith("container:")
}

export const stats = (world: World, found: Container, onlineCpus: number): ContainerStats | "absent" => {
  if (!isRunning(found) || found.startedNanos === undefined) return "absent"
  const now = tick(world)
  const usageBytes = bytesEach * Math.max(1, found.processes.size)
  return {
    containerId: found.id,
    readAtMillis: toMillis(now),
    cpu: {
      usageNanos: Number((now - found.startedNanos) / cpuShare) + 1_000_000,
      systemNanos: Number(now),
      onlineCpus,
      throttledPeriods: 0,
      throttledNanos: 0
    },
    memory: {
      usageBytes,
      inactiveFileBytes: 0,
      limitBytes: limit(found.host.memoryBytes),
      maxUsageBytes: usageBytes
    },
    pids: { current: found.processes.size, limit: limit(found.host.pidsLimit) },
    network: hasNetwork(found) ? [{ name: "eth0", rxBytes: 0, txBytes: 0 }] : undefined,
    blockIo: undefined
  }
}

export const top = (found: Container) =>
  [...found.processes.values()].map(({ hostPid, parentPid, argv }) => ({ hostPid, parentPid, command: argv.join(" ") }))
