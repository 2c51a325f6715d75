import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it, onTestFinished } from "vitest"
import { added, census, containerCgroups, temporaryEntries } from "../src/leftovers.ts"
import { plantAt } from "./plant.ts"

const namespaces = (lines: ReadonlyArray<string>) => lines.filter((line) => line.startsWith("network namespace"))
const leftovers = join(import.meta.dirname, "../src/leftovers.ts")

/** A process in a network namespace of its own that runs `script` after it said so. */
const inNamespace = async (script: string): Promise<void> => {
  const child = spawn("unshare", ["--net", "bash", "-c", script], { stdio: ["pipe", "pipe", "inherit"] })
  onTestFinished(async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, "close")
  })
  await once(child.stdout, "data")
}

describe("leftovers", () => {
  it("names what is new and nothing else", () => {
    const before = { mount: ["/", "/proc"], "loop device": ["/a.img"] }
    const after = { mount: ["/", "/proc", "/proc"], "loop device": [], interface: ["docker0"] }
    assert.deepStrictEqual(added(before, after), ["mount: /proc", "interface: docker0"])
    assert.deepStrictEqual(added(after, after), [])
  })

  it("sees the network namespace of an engine", async () => {
    const before = census()
    // The shell keeps the engine's name: it waits for its input itself.
    await inNamespace("exec -a dockerd sh -c 'echo ready; read -r line'")
    const during = added(before, census())
    assert.lengthOf(namespaces(during), 1)
    assert.lengthOf(
      during.filter((line) => line.startsWith("engine process: dockerd -c")),
      1
    )
  })

  it("leaves the network namespace of another program alone", async () => {
    const before = census()
    await inNamespace("echo ready; exec cat")
    assert.deepStrictEqual(namespaces(added(before, census())), [])
  })

  it("sees a network namespace that a mount keeps, without a process", () => {
    const file = join(plantAt({ namespace: "" }), "namespace")
    const before = census()
    assert.strictEqual(spawnSync("unshare", [`--net=${file}`, "true"]).status, 0)
    onTestFinished(() => {
      spawnSync("umount", [file])
    })
    const during = added(before, census())
    assert.lengthOf(namespaces(during), 1)
    assert.include(during, `mount: ${file}`)
  })

  it("counts a container's cgroups once, in every layout", () => {
    const [a, b, c] = ["a".repeat(64), "b".repeat(64), "c".repeat(64)]
    const root = plantAt({})
    for (const folder of [
      `cpu/docker/${a}`,
      `pids/docker/${a}`,
      `pids/sbx-1/${b}`,
      `system.slice/docker-${c}.scope`,
      "pids/docker/x"
    ]) {
      mkdirSync(join(root, folder), { recursive: true })
    }
    assert.deepStrictEqual(containerCgroups(root), [a, b, c])
    assert.deepStrictEqual(containerCgroups(join(root, "absent")), [])
  })

  it("sees our temporary files, but the packages that tests keep", () => {
    const root = plantAt({ "sbx-run-1/a": "", "sbx-b": "", "sbx-test-packages/a": "", "other/sbx-c": "" })
    assert.deepStrictEqual(temporaryEntries(root).toSorted(), [join(root, "sbx-b"), join(root, "sbx-run-1")])
  })

  it("says so when there is nothing to compare with", () => {
    const record = join(plantAt({}), "record")
    const compare = () => spawnSync(process.execPath, [leftovers, "compare", record], { encoding: "utf8" })
    for (const text of [undefined, ""]) {
      if (text !== undefined) writeFileSync(record, text)
      const { status, stderr } = compare()
      assert.strictEqual(status, 1)
      assert.match(stderr, /^Could not compare: .* holds no record\.\n/)
    }
  })
})
