import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { defaults, resolve, type SandboxOptions } from "../src/SandboxOptions.ts"
import { SandboxSpec } from "../src/SandboxSpec.ts"
import { spec } from "./support/spec.ts"

const issuesOf = (options: SandboxOptions) =>
  Effect.map(Effect.flip(resolve({ image: "tiny", ...options })), (error) => error.issues)

describe("resolution", () => {
  it.effect("gives the documented defaults", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* resolve({ image: "tiny" }), spec)
    })
  )

  it.effect("takes limits and image from the defaults it is given", () =>
    Effect.gen(function* () {
      const limits = { ...defaults.limits, pids: 7 }
      const found = yield* resolve({}, { image: "base", limits, workspaceKind: "memory" })
      assert.strictEqual(found.image, "base")
      assert.strictEqual(found.limits.pids, 7)
      assert.strictEqual(found.workspace.kind, "memory")
    })
  )

  it.effect("takes what the user writes", () =>
    Effect.gen(function* () {
      const found = yield* resolve({
        image: "base",
        cpus: "2.0",
        memory: "1G",
        disk: "2G",
        workspace: { path: "/home/work" },
        stopGrace: "1500 millis",
        env: { A: "b" }
      })
      assert.strictEqual(found.limits.cpus, 2)
      assert.strictEqual(found.limits.memoryBytes, 1024 ** 3)
      assert.strictEqual(found.limits.diskBytes, 2 * 1024 ** 3)
      assert.strictEqual(found.limits.diskInodes, 131_072)
      assert.strictEqual(found.workingDir, "/home/work")
      assert.strictEqual(found.stopGraceMillis, 1500)
      assert.isTrue(Schema.is(SandboxSpec)(found))
    })
  )
})

const bad: ReadonlyArray<readonly [string, SandboxOptions]> = [
  ["image", { image: "" }],
  ["image", { image: "a b" }],
  ["command", { command: [] }],
  ["command", { command: ["a\0b"] }],
  ["env", { env: { "1A": "" } }],
  ["env", { env: { "A=B": "" } }],
  ["env.A", { env: { A: "\0" } }],
  ["workingDir", { workingDir: "work" }],
  ["workingDir", { workingDir: "/a/../b" }],
  ["workingDir", { workingDir: "/a//b" }],
  ["hostname", { hostname: "Not Valid" }],
  ["cpus", { cpus: "fast" }],
  ["cpus", { cpus: 0 }],
  ["memory", { memory: "256MB" }],
  ["memory", { memory: "1M" }],
  ["pids", { pids: 0 }],
  ["pids", { pids: 1.5 }],
  ["disk", { disk: "-1" }],
  ["disk", { disk: "1K" }],
  ["inodes", { inodes: 1 }],
  ["openFiles", { openFiles: 0 }],
  ["shm", { shm: 0 }],
  ["tmp", { tmp: "none" }],
  ["workspace.path", { workspace: { path: "/etc/x" } }],
  ["workspace.path", { workspace: { path: "relative" } }],
  ["network", { network: "host" }],
  ["network", { network: "container:x" }],
  ["labels", { labels: { "sbx.owner": "me" } }],
  ["stopGrace", { stopGrace: "2 hours" }],
  ["stopGrace", { stopGrace: "0.5 millis" }],
  ["loosening.capabilities", { loosening: { capabilities: ["CAP_SYS_ADMIN"] } }],
  ["loosening.user", { loosening: { user: "a:b:c" } }],
  ["loosening.binds.source", { loosening: { binds: [{ source: "x", target: "/x", writable: false }] } }],
  ["loosening.binds.target", { loosening: { binds: [{ source: "/x", target: "x", writable: false }] } }]
]

describe("bad values", () => {
  it.effect.each(bad)("name their field: %s %j", ([field, options]) =>
    Effect.gen(function* () {
      const issues = yield* issuesOf(options)
      assert.include(
        issues.map((issue) => issue.field),
        field
      )
      for (const issue of issues) assert.isAbove(issue.expectation.length, 3)
    })
  )

  it.effect("are all listed at once, with value and expectation", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(resolve({ image: "tiny", cpus: "x", memory: "y" }))
      assert.deepStrictEqual(
        error.issues.map((issue) => [issue.field, issue.value]),
        [
          ["memory", '"y"'],
          ["cpus", '"x"']
        ].toReversed()
      )
      assert.include(error.message, 'cpus is "x", expected a number of cores')
    })
  )

  it.effect("include a memory workspace as large as the memory it is charged to", () =>
    Effect.gen(function* () {
      const issues = yield* issuesOf({ workspace: "memory", memory: "64M", disk: "64M" })
      assert.deepStrictEqual(
        issues.map((issue) => issue.field),
        ["disk"]
      )
      yield* resolve({ image: "tiny", workspace: "memory", memory: "65M", disk: "64M" })
      yield* resolve({ image: "tiny", workspace: "disk", memory: "64M", disk: "64M" })
    })
  )

  it.effect("include no image at all", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(resolve({}))
      assert.strictEqual(error.issues[0]?.field, "image")
    })
  )
})
