import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, statSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { assert, describe, it, onTestFinished } from "vitest"
import { findPrograms } from "../src/testPostgres.ts"
import { plantAt } from "./plant.ts"

const program = join(import.meta.dirname, "../src/testPostgres.ts")

/** Runs the keeper under a parent of its own, which can be killed; `folder` is where the server's socket lies. */
const keptServer = async () => {
  const script = `
    const { spawn } = require("node:child_process")
    spawn(process.execPath, ["--conditions=@sbx/source", ${JSON.stringify(program)}], { detached: true, stdio: ["pipe", "inherit", "inherit"] })
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ["-e", script], { detached: true, stdio: ["ignore", "pipe", "inherit"] })
  onTestFinished(() => void parent.kill("SIGKILL"))
  const { value } = await createInterface({ input: parent.stdout })[Symbol.asyncIterator]().next()
  const facts: unknown = JSON.parse(String(value))
  const url = new URL(String(Object(facts)["SBX_TEST_POSTGRES_URL"]))
  const folder = url.searchParams.get("host") ?? ""
  const pid = Number(readFileSync(join(folder, "data/postmaster.pid"), "utf8").split("\n")[0])
  return { parent, folder, pid }
}

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`)

describe("testPostgres", () => {
  it("keeps a server without root and without a TCP listener, and ends it with the group that started it", async () => {
    const { folder, parent, pid } = await keptServer()
    const socket = connect(join(folder, ".s.PGSQL.5432"))
    await once(socket, "connect")
    socket.destroy()
    assert.notStrictEqual(statSync(`/proc/${pid}`).uid, 0)
    const { stdout } = spawnSync("sh", ["-c", `cat /proc/${pid}/net/tcp /proc/${pid}/net/tcp6`])
    const listening = new Set(
      String(stdout)
        .split("\n")
        .filter((line) => / 0A /.test(line))
        .map((line) => line.trim().split(/\s+/)[9])
    )
    const sockets = spawnSync("sh", ["-c", `ls -l /proc/${pid}/fd`]).stdout
    for (const [, inode] of String(sockets).matchAll(/socket:\[(\d+)\]/g)) assert.isFalse(listening.has(inode))
    const closed = once(parent, "close")
    process.kill(-(parent.pid ?? 0), "SIGKILL")
    // The keeper holds the parent's stdout until it has cleaned up.
    await closed
    assert.isFalse(alive(pid))
    assert.isFalse(existsSync(folder))
  })

  it("takes the newest server that a prefix has, and programs on the path where there is none", () => {
    const program = { bin: "#!/bin/sh\n" }
    const prefix = plantAt({
      "usr/lib/postgresql/9/bin/postgres": program.bin,
      "usr/lib/postgresql/9/bin/initdb": program.bin,
      "usr/lib/postgresql/15/bin/postgres": program.bin,
      "usr/lib/postgresql/15/bin/initdb": program.bin,
      "usr/lib/postgresql/17/bin/postgres": program.bin,
      "elsewhere/bin/postgres": program.bin,
      "elsewhere/bin/initdb": program.bin
    })
    spawnSync("chmod", ["-R", "755", prefix])
    assert.strictEqual(findPrograms(prefix), join(prefix, "usr/lib/postgresql/15/bin"), "17 has no initdb")
    const other = plantAt({})
    assert.isUndefined(findPrograms(other))
    const path = `${other}:${join(prefix, "elsewhere/bin")}`
    assert.strictEqual(findPrograms(other, path), join(prefix, "elsewhere/bin"))
  })
})
