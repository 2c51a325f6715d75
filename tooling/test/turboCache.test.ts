/** turbo.json by turbo itself: what a cached verdict of a test depends on, and what it does not. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

interface Task {
  readonly taskId: string
  readonly task: string
  readonly hash: string
}

/** Hashes of all `test` tasks by package; nothing of this process's environment but what starts turbo. */
const hashes = (environment: Readonly<Record<string, string>>): ReadonlyMap<string, string> => {
  const { PATH, HOME } = process.env
  const run = spawnSync(`${root}node_modules/.bin/turbo`, ["run", "test", "--dry=json"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 ** 2,
    env: { PATH, HOME, TURBO_TELEMETRY_DISABLED: "1", GIT_OPTIONAL_LOCKS: "0", ...environment }
  })
  assert.strictEqual(run.status, 0, run.stderr)
  const plan: { readonly tasks: ReadonlyArray<Task> } = JSON.parse(run.stdout)
  return new Map(plan.tasks.filter(({ task }) => task === "test").map(({ taskId, hash }) => [taskId, hash]))
}

const base = { SBX_ENGINE_FINGERPRINT: "engine 1", DOCKER_HOST: "unix:///a.sock", SBX_TEST_ENGINE: "unix:///a.sock" }

describe("the cache of tests", () => {
  it("holds for the same engine, address and images only", () => {
    const first = hashes(base)
    assert.isAbove(first.size, 5)
    for (const change of [
      { SBX_ENGINE_FINGERPRINT: "engine 2" },
      { DOCKER_HOST: "unix:///b.sock" },
      { DOCKER_CONTEXT: "other" },
      { SBX_TEST_ENGINE: "unix:///b.sock" },
      { SBX_TEST_ENGINE_KIND: "private" },
      { SBX_TEST_IMAGE_TINY: "other/tiny" }
    ]) {
      const other = hashes({ ...base, ...change })
      for (const [task, hash] of first)
        assert.notStrictEqual(other.get(task), hash, `${task} ${JSON.stringify(change)}`)
    }
    assert.deepStrictEqual(hashes(base), first)
  })

  it("outlives a change of proxy or state directory", () => {
    const elsewhere = { https_proxy: "http://proxy", HTTP_PROXY: "http://proxy", no_proxy: "a", SBX_STATE_DIR: "/b" }
    assert.deepStrictEqual(hashes({ ...base, ...elsewhere }), hashes(base))
  })
})
