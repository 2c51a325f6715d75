import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { directory } from "./temporary.ts"

describe("a sample store on a full disk", () => {
  const isolate = ["--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])]
  it.effect("tells, what was written is readable, and the rest is written once there is space", () =>
    Effect.gen(function* () {
      const folder = yield* directory
      // A mount namespace of the child's own: the tmpfs of 6 MB vanishes with it.
      const script = 'mount -t tmpfs -o size=6m tmpfs "$0" && head -c 5000000 /dev/zero > "$0/ballast" && exec "$@"'
      const child = fileURLToPath(new URL("./fullDisk.ts", import.meta.url))
      const node = [process.execPath, "--conditions=@sbx/source", child, `${folder}/s.sqlite`, `${folder}/ballast`]
      const { status, stderr, stdout } = spawnSync("unshare", [...isolate, "sh", "-c", script, folder, ...node])
      assert.strictEqual(status, 0, String(stderr))
      const seen = JSON.parse(String(stdout))
      assert.deepInclude(seen, { reason: "DiskFull", told: "DiskFull", all: 4100 })
      assert.isAbove(seen.kept, 0)
      assert.strictEqual(seen.kept + seen.waiting, 4000)
      assert.deepInclude(seen.healed, { waiting: 0, written: 4100, dropped: 0 })
    }).pipe(Effect.scoped)
  )
})
