import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Effect } from "effect"
import { containerSpec } from "../src/HardenedProfile.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import { Loosening } from "../src/SandboxSpec.ts"
import { sandboxesLayer } from "./support/sandboxesLayer.ts"

/** Settings that the engine echoes in its own words. */
const reworded = new Set(["mounts", "binds"])

/** One form for what means the same: order of keys and of lists, empty and absent. */
const text = (value: unknown): string => {
  if (Array.isArray(value)) return listText(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "absent"
  const entries = Object.entries(value).map(([key, one]) => `${key}=${text(one)}`)
  return entries.length === 0 ? "absent" : `{${entries.sort().join(" ")}}`
}

// With a host namespace the engine adds `label=disable` by itself (moby daemon/create).
const listText = (list: ReadonlyArray<unknown>) => {
  const texts = list.filter((one) => one !== "label=disable").map(text)
  return texts.length === 0 ? "absent" : `[${texts.sort().join(" ")}]`
}

/** Host settings that were asked for and that the engine does not show. */
const refused = Effect.fnUntraced(function* (loosening: Loosening) {
  const sandboxes = yield* Sandboxes
  const engine = yield* Engine
  const box = yield* sandboxes.make({ loosening })
  const { cgroupVersion } = yield* engine.info
  const asked = containerSpec(box.spec, { name: box.name, labels: {}, uid: box.uid, volume: box.volume, cgroupVersion })
  const inspected = yield* box.inspect
  const shown = new Map<string, unknown>(Object.entries(inspected.host))
  return Object.entries(asked.host ?? {}).flatMap(([key, value]) => {
    const [wanted, found] = [text(value), text(shown.get(key))]
    return reworded.has(key) || wanted === found
      ? []
      : [`${key}: ${wanted.slice(0, 200)} became ${found.slice(0, 200)}`]
  })
})

const samples: Record<keyof Loosening, Loosening> = {
  privileged: { privileged: true },
  writableRoot: { writableRoot: true },
  capabilities: { capabilities: ["NET_RAW"] },
  defaultCapabilities: { defaultCapabilities: true },
  newPrivileges: { newPrivileges: true },
  seccomp: { seccomp: "unconfined" },
  user: { user: "0" },
  hostNetwork: { hostNetwork: true },
  hostPid: { hostPid: true },
  hostIpc: { hostIpc: true },
  hostUts: { hostUts: true },
  hostCgroupns: { hostCgroupns: true },
  noMemoryLimit: { noMemoryLimit: true },
  noPidsLimit: { noPidsLimit: true },
  noCpuLimit: { noCpuLimit: true },
  noUlimits: { noUlimits: true },
  unmaskedPaths: { unmaskedPaths: true },
  binds: { binds: [{ source: "/usr", target: "/host-usr", writable: false }] }
}

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("the hardened container", (it) => {
  it.effect("is what the engine says it made", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* refused({}), [])
    })
  )

  it.effect.each(Object.entries(samples))(
    "loosened by %s starts, and is what the engine says it made",
    ([, loosening]) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* refused(loosening), [])
      })
  )
})
