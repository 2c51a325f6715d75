/** Readings for unit tests: plain values with one thing changed at a time. */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { ContainerStats } from "@sbx/engine/Engine"
import type { ContainerReading } from "../src/ContainerSampler.ts"

export const target: ContainerTarget = { containerId: "c0ffee", name: "subject" }

/** A container on a host with two cores that has run for `seconds`, using `cores` of cpu all the time. */
export const statsAt = (seconds: number, cores: number, over: Partial<ContainerStats> = {}): ContainerStats => ({
  containerId: target.containerId,
  readAtMillis: 1_000_000 + seconds * 1000,
  cpu: {
    usageNanos: seconds * cores * 1e9,
    systemNanos: (5000 + seconds * 2) * 1e9,
    onlineCpus: 2,
    throttledPeriods: Math.round(seconds * 10),
    throttledNanos: seconds * 5e8
  },
  memory: { usageBytes: 80e6, inactiveFileBytes: 30e6, limitBytes: 100e6, maxUsageBytes: 90e6 },
  pids: { current: 3, limit: 64 },
  network: [
    { name: "eth0", rxBytes: seconds * 1000, txBytes: 10 },
    { name: "eth1", rxBytes: 5, txBytes: 20 }
  ],
  blockIo: { readBytes: 0, writeBytes: seconds * 4096 },
  ...over
})

export const readingAt = (
  seconds: number,
  cores: number,
  over: Partial<ContainerStats> = {},
  quota: number | "none" = 0.5
): ContainerReading => ({
  stats: statsAt(seconds, cores, over),
  cpuLimitCores: quota === "none" ? undefined : quota,
  source: "cgroup",
  details: {
    memoryOomKills: 0,
    processes: 2,
    threads: 3,
    openFiles: 12,
    writableLayerBytes: 8192,
    mountUsedBytes: 5e6,
    mountLimitBytes: 10e6
  }
})
