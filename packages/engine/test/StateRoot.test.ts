import { mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { type Config, ConfigProvider, Effect } from "effect"
import * as StateRoot from "../src/StateRoot.ts"

const read = (config: Config.Config<string>, env: Record<string, string>) =>
  Effect.provideService(config, ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

const root = StateRoot.configFor({ root: true })
const user = StateRoot.configFor({ root: false })

describe("StateRoot", () => {
  it.effect("is the machine's for root and the user's own for others", () =>
    Effect.gen(function* () {
      const env = { HOME: "/home/a", XDG_STATE_HOME: "/x" }
      assert.strictEqual(yield* read(root, env), "/var/lib/sbx")
      assert.strictEqual(yield* read(user, env), "/x/sbx")
      assert.strictEqual(yield* read(user, { HOME: "/home/a" }), "/home/a/.local/state/sbx")
    })
  )

  it.effect("lets SBX_STATE_DIR win, made absolute", () =>
    Effect.gen(function* () {
      const env = { SBX_STATE_DIR: "/s", HOME: "/home/a", XDG_STATE_HOME: "/x" }
      for (const config of [root, user, StateRoot.config]) assert.strictEqual(yield* read(config, env), "/s")
      assert.strictEqual(yield* read(root, { SBX_STATE_DIR: "s" }), `${process.cwd()}/s`)
    })
  )

  it.effect("takes an empty variable for an unset one, and ignores a relative XDG path", () =>
    Effect.gen(function* () {
      const empty = { SBX_STATE_DIR: "", XDG_STATE_HOME: "", HOME: "" }
      assert.strictEqual(yield* read(root, empty), "/var/lib/sbx")
      assert.strictEqual(yield* read(user, empty), "/tmp/.local/state/sbx")
      assert.strictEqual(yield* read(user, { XDG_STATE_HOME: "x", HOME: "/home/a" }), "/home/a/.local/state/sbx")
    })
  )

  it.effect("creates the directory and answers its real path", () =>
    Effect.gen(function* () {
      const place = mkdtempSync(`${realpathSync(tmpdir())}/sbx-test-root-`)
      symlinkSync(place, `${place}/link`)
      assert.strictEqual(yield* StateRoot.resolve(`${place}/link/a/b`), `${place}/a/b`)
      rmSync(place, { recursive: true })
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
