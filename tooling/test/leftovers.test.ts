import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "vitest"
import { added, census } from "../src/leftovers.ts"

describe("leftovers", () => {
  it("names what is new and nothing else", () => {
    const before = { mount: ["/", "/proc"], "loop device": ["/a.img"] }
    const after = { mount: ["/", "/proc", "/proc"], "loop device": [], interface: ["docker0"] }
    assert.deepStrictEqual(added(before, after), ["mount: /proc", "interface: docker0"])
    assert.deepStrictEqual(added(after, after), [])
  })

  it("sees a network namespace that outlives its run", async () => {
    const before = census()
    const child = spawn("unshare", ["--net", "sh", "-c", "echo ready; exec cat"], {
      stdio: ["pipe", "pipe", "inherit"]
    })
    await once(child.stdout, "data")
    const during = added(before, census()).filter((line) => line.startsWith("network namespace"))
    child.stdin.end()
    await once(child, "close")
    assert.lengthOf(during, 1)
  })
})
