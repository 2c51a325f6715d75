/** Reads a container's cgroup files on the host, cgroup v1 or v2: the second opinion of the integration tests. */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { existsSync, readFileSync } from "node:fs"

/** Needs a local engine whose processes this process can see; anything else is red, not skipped. */
export const hostCgroup = Effect.fnUntraced(function* ({ containerId }: ContainerTarget) {
  const engine = yield* Engine
  const { state } = yield* engine.inspectContainer(containerId)
  const lines = readFileSync(`/proc/${state.hostPid}/cgroup`, "utf8").trim().split("\n")
  const version2 = existsSync("/sys/fs/cgroup/cgroup.controllers")
  const pathOf = (controller: string) => {
    const line = lines.find((candidate) =>
      version2 ? candidate.startsWith("0::") : candidate.split(":")[1]?.split(",").includes(controller)
    )
    const path = line?.split(":")[2]
    if (path === undefined || !path.includes(containerId)) throw new Error(`no ${controller} cgroup of ${containerId}`)
    return version2 ? `/sys/fs/cgroup${path}` : `/sys/fs/cgroup/${controller}${path}`
  }
  const number = (controller: string, file: string) => Number(readFileSync(`${pathOf(controller)}/${file}`, "utf8"))
  const field = (controller: string, file: string, name: string) =>
    Number(new RegExp(`^${name} (\\d+)`, "m").exec(readFileSync(`${pathOf(controller)}/${file}`, "utf8"))?.[1])
  return {
    cpuNanos: () => (version2 ? field("cpu", "cpu.stat", "usage_usec") * 1000 : number("cpuacct", "cpuacct.usage")),
    throttledPeriods: () => field("cpu", "cpu.stat", "nr_throttled"),
    workingSetBytes: () =>
      version2
        ? number("memory", "memory.current") - field("memory", "memory.stat", "inactive_file")
        : number("memory", "memory.usage_in_bytes") - field("memory", "memory.stat", "total_inactive_file"),
    pids: () => number("pids", "pids.current")
  }
})
