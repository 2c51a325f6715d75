import { assert, describe, it } from "@effect/vitest"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { dangers, permit } from "../src/Danger.ts"
import { containerSpec, maskedPaths } from "../src/HardenedProfile.ts"
import { Loosening } from "../src/SandboxSpec.ts"
import { hardenedJson } from "../src/SeccompProfile.ts"
import { spec } from "./support/spec.ts"

const context = {
  name: "sbx-x",
  labels: { "sbx.kind": "sandbox" },
  uid: 100_001,
  volume: "ws",
  cgroupVersion: "1"
} as const
const hardened = containerSpec(spec, context)
const loosened = (loosening: Loosening) => containerSpec({ ...spec, loosening }, context)

/** Dotted paths of fields whose values differ. */
const differences = (a: ContainerSpec, b: ContainerSpec): ReadonlyArray<string> => {
  const { host: hostA = {}, ...topA } = a
  const { host: hostB = {}, ...topB } = b
  return [...changed(topA, topB), ...changed(hostA, hostB).map((key) => `host.${key}`)].sort()
}

const changed = (a: object, b: object): ReadonlyArray<string> => {
  const left = new Map<string, unknown>(Object.entries(a))
  const right = new Map<string, unknown>(Object.entries(b))
  const same = (key: string) => JSON.stringify(left.get(key)) === JSON.stringify(right.get(key))
  return [...new Set([...left.keys(), ...right.keys()])].filter((key) => !same(key))
}

describe("the hardened container", () => {
  it("has every setting closed", () => {
    assert.deepStrictEqual(hardened, {
      name: "sbx-x",
      image: "tiny",
      entrypoint: ["sleep", "infinity"],
      env: { HOME: "/workspace", TMPDIR: "/workspace" },
      labels: { "sbx.kind": "sandbox" },
      user: "100001:100001",
      workingDir: "/workspace",
      hostname: "sandbox",
      stopSignal: "SIGTERM",
      stopTimeoutSeconds: 2,
      networkDisabled: true,
      openStdin: false,
      healthcheck: "none",
      host: {
        privileged: false,
        readOnlyRoot: true,
        capDrop: ["ALL"],
        capAdd: [],
        securityOpt: ["no-new-privileges:true", `seccomp=${hardenedJson}`],
        maskedPaths,
        readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        devices: [],
        deviceCgroupRules: [],
        groupAdd: [],
        networkMode: "none",
        ipcMode: "private",
        cgroupnsMode: "private",
        dns: ["127.0.0.1"],
        sysctls: { "net.ipv4.ping_group_range": "1 0" },
        memoryBytes: 268_435_456,
        memorySwapBytes: 268_435_456,
        memorySwappiness: 0,
        oomKillDisable: false,
        oomScoreAdj: 500,
        pidsLimit: 128,
        nanoCpus: 500_000_000,
        cpuShares: 512,
        ulimits: [
          { name: "nofile", soft: 1024, hard: 1024 },
          { name: "core", soft: 0, hard: 0 },
          { name: "fsize", soft: 134_217_728, hard: 134_217_728 },
          { name: "memlock", soft: 65_536, hard: 65_536 },
          { name: "msgqueue", soft: 0, hard: 0 },
          { name: "sigpending", soft: 256, hard: 256 },
          { name: "rtprio", soft: 0, hard: 0 },
          { name: "nice", soft: 0, hard: 0 }
        ],
        shmSizeBytes: 16_777_216,
        tmpfs: { "/tmp": "rw,nosuid,nodev,noexec,size=67108864,nr_inodes=4096,mode=1777" },
        mounts: [{ kind: "volume", source: "ws", target: "/workspace", noCopy: true }],
        init: true,
        restartPolicy: { name: "no" },
        autoRemove: false,
        logConfig: { type: "local", config: { "max-size": "1m", "max-file": "2" } }
      }
    })
  })

  it("leaves swappiness to cgroup v2", () => {
    assert.isUndefined(containerSpec(spec, { ...context, cgroupVersion: "2" }).host?.memorySwappiness)
  })

  it("lets our labels win over the user's", () => {
    const labels = { "sbx.kind": "volume", mine: "1" }
    assert.deepStrictEqual(containerSpec({ ...spec, labels }, context).labels, { "sbx.kind": "sandbox", mine: "1" })
  })

  it("opens the network by the network's name, and nothing else", () => {
    const open = containerSpec({ ...spec, network: "net1" }, context)
    assert.deepStrictEqual(differences(hardened, open), ["host.dns", "host.networkMode", "networkDisabled"])
  })
})

const loosenings: Record<keyof Loosening, readonly [Loosening, ReadonlyArray<string>]> = {
  privileged: [{ privileged: true }, ["host.privileged"]],
  writableRoot: [{ writableRoot: true }, ["host.readOnlyRoot"]],
  capabilities: [{ capabilities: ["NET_RAW"] }, ["host.capAdd"]],
  defaultCapabilities: [{ defaultCapabilities: true }, ["host.capDrop"]],
  newPrivileges: [{ newPrivileges: true }, ["host.securityOpt"]],
  seccomp: [{ seccomp: "unconfined" }, ["host.securityOpt"]],
  user: [{ user: "0" }, ["user"]],
  hostNetwork: [{ hostNetwork: true }, ["host.dns", "host.networkMode", "host.sysctls", "networkDisabled"]],
  hostPid: [{ hostPid: true }, ["host.pidMode"]],
  hostIpc: [{ hostIpc: true }, ["host.ipcMode"]],
  hostUts: [{ hostUts: true }, ["host.utsMode", "hostname"]],
  hostCgroupns: [{ hostCgroupns: true }, ["host.cgroupnsMode"]],
  noMemoryLimit: [{ noMemoryLimit: true }, ["host.memoryBytes", "host.memorySwapBytes", "host.memorySwappiness"]],
  noPidsLimit: [{ noPidsLimit: true }, ["host.pidsLimit"]],
  noCpuLimit: [{ noCpuLimit: true }, ["host.cpuShares", "host.nanoCpus"]],
  noUlimits: [{ noUlimits: true }, ["host.ulimits"]],
  unmaskedPaths: [{ unmaskedPaths: true }, ["host.maskedPaths", "host.readonlyPaths"]],
  binds: [{ binds: [{ source: "/x", target: "/y", writable: true }] }, ["host.mounts"]]
}

describe("loosening", () => {
  it.each(Object.entries(loosenings))("%s changes its own fields only", (_, [loosening, fields]) => {
    assert.deepStrictEqual(differences(hardened, loosened(loosening)), [...fields])
  })

  it("knows every field of the schema", () => {
    assert.deepStrictEqual(Object.keys(loosenings).sort(), Object.keys(Loosening.fields).sort())
  })

  it("by false is none", () => {
    for (const field of Object.keys(Loosening.fields)) {
      const off = Schema.decodeResult(Loosening)({ [field]: false })
      if (off._tag === "Success") assert.deepStrictEqual(differences(hardened, loosened(off.success)), [], field)
    }
  })

  it("chooses among seccomp profiles", () => {
    assert.deepStrictEqual(loosened({ seccomp: "unconfined" }).host?.securityOpt?.[1], "seccomp=unconfined")
    assert.deepStrictEqual(loosened({ seccomp: { profile: "{}" } }).host?.securityOpt?.[1], "seccomp={}")
    assert.deepStrictEqual(loosened({ seccomp: "engine-default" }).host?.securityOpt, ["no-new-privileges:true"])
  })
})

describe("danger", () => {
  it.effect("is permitted on the private engine or by the user only", () =>
    Effect.gen(function* () {
      const engine = { address: "unix:///x", isPrivate: false, allowDangerous: false }
      const error = yield* Effect.flip(permit({ privileged: true, hostPid: true }, engine))
      assert.deepStrictEqual(error.fields, ["privileged", "hostPid"])
      assert.include(error.message, "--allow-dangerous")
      yield* permit({ privileged: true }, { ...engine, isPrivate: true })
      yield* permit({ privileged: true }, { ...engine, allowDangerous: true })
      yield* permit({ writableRoot: true, user: "0", seccomp: "engine-default" }, engine)
    })
  )

  it("does not see what is switched off", () => {
    assert.deepStrictEqual(dangers({ privileged: false, capabilities: [], binds: [] }), [])
    assert.deepStrictEqual(dangers({ seccomp: "unconfined" }), ["seccomp"])
  })
})
