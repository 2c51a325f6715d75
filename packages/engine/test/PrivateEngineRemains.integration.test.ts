import { spawn } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startTimeOf } from "../src/internal/privateEngine/processes.ts"
import {
  api,
  eventually,
  isGone,
  loadTiny,
  ownEngine,
  pidOf,
  prepare,
  recovers,
  removeEngines,
  removeTar,
  sh,
  sleeper,
  temporary
} from "./privateEngineHarness.ts"

const { stateRoot, paths, use: engine, up, down, leftovers } = ownEngine("remains")

beforeAll(() => Effect.runPromise(Effect.andThen(prepare, Effect.andThen(up, loadTiny(paths.socket)))), 180_000)
afterAll(async () => {
  await removeEngines()
  removeTar()
}, 60_000)

describe("PrivateEngine on a machine with remains", () => {
  it.live("starts over stale pid files and sockets, and spares the processes that they name", () =>
    Effect.gen(function* () {
      yield* down
      const bystander = spawn("sleep", ["1000"], { stdio: "ignore" })
      const pid = bystander.pid ?? 0
      mkdirSync(`${paths.execRoot}/containerd`, { recursive: true })
      writeFileSync(`${paths.run}/docker.pid`, String(pid))
      writeFileSync(`${paths.execRoot}/containerd/containerd.pid`, String(pid))
      writeFileSync(paths.identity, `${pid} ${startTimeOf(pid)}\n`)
      yield* Effect.promise(() => staleSocket(paths.socket))
      yield* recovers({ up, paths })
      assert.isFalse(isGone(pid))
      bystander.kill("SIGKILL")
    })
  )

  it.live("leaves a disk that the user mounted on its data root, over up and down", () =>
    Effect.gen(function* () {
      const own = ownEngine("disk")
      const mounted = () =>
        sh('findmnt --noheadings --output SOURCE --mountpoint "$1" || true', own.paths.dataRoot).trim()
      mkdirSync(own.paths.dataRoot, { recursive: true })
      sh('mount -t tmpfs sbx-user-disk "$1"', own.paths.dataRoot)
      try {
        yield* own.up
        writeFileSync(`${own.paths.dataRoot}/mine`, "")
        process.kill(yield* pidOf(own.paths.id, "dockerd --config-file"), "SIGKILL")
        yield* own.up
        yield* own.down
        assert.strictEqual(mounted(), "sbx-user-disk")
        assert.isTrue(readdirSync(own.paths.dataRoot).includes("mine"))
        assert.deepStrictEqual(yield* own.leftovers, [])
      } finally {
        yield* own.force
        sh('umount "$1"', own.paths.dataRoot)
      }
    })
  )

  it.live("clears mounts and loop devices of its own, and no others", () =>
    Effect.gen(function* () {
      yield* up
      const id = readFileSync(paths.daemonId, "utf8").replaceAll(":", "-")
      yield* down
      const foreign = temporary("foreign")
      const folders = [
        `${paths.dataRoot}/volumes/disk`,
        `${stateRoot}/volumes/${id}`,
        `${stateRoot}/volumes/OTHER-ENGINE`
      ]
      for (const folder of folders) {
        mkdirSync(folder, { recursive: true })
        sh('truncate -s 8M "$1/disk"; losetup --find "$1/disk"', folder)
      }
      sh('mkdir "$1/_data"; mkfs.ext4 -q "$1/disk"; mount -o loop "$1/disk" "$1/_data"', folders[0] ?? "")
      sh('mount -t tmpfs sbx-foreign "$1"', foreign)
      try {
        const seen = (yield* leftovers).join("\n")
        assert.include(seen, `mount ${folders[0]}/_data`)
        assert.include(seen, "loop device /dev/loop")
        // A crash is not a down: workspaces are used again.
        yield* up
        assert.include(sh("losetup --all --noheadings --output BACK-FILE"), `${folders[1]}/disk`)
        yield* down
        assert.deepStrictEqual(yield* leftovers, [])
        const loops = sh("losetup --all --noheadings --output BACK-FILE")
        assert.deepStrictEqual(
          folders.map((folder) => loops.includes(`${folder}/disk`)),
          [false, false, true]
        )
        assert.include(readFileSync("/proc/self/mountinfo", "utf8"), foreign)
        yield* recovers({ up, paths })
      } finally {
        sh('losetup --associated "$1/disk" | cut -d: -f1 | xargs -r losetup --detach', folders[2] ?? "")
        sh('umount "$1"; rmdir "$1"', foreign)
      }
    })
  )
  it.live("leaves nothing behind after down, and spares another engine's processes", () =>
    Effect.gen(function* () {
      yield* up
      const id = yield* sleeper(paths.socket)
      yield* api(paths.socket, "POST", `/containers/${id}/pause`)
      const neighbour = spawn("sleep", ["1000"], { stdio: "ignore", env: { SBX_ENGINE_ID: "0123456789ab" } })
      yield* down
      assert.deepStrictEqual(yield* leftovers, [])
      assert.isFalse(isGone(neighbour.pid ?? 0))
      neighbour.kill("SIGKILL")
      const status = yield* engine((service) => service.status)
      assert.deepInclude(status, { running: false, version: undefined })
      // Again, on nothing.
      yield* down
    })
  )

  it.live("reports what a foreign process keeps alive", () =>
    Effect.gen(function* () {
      yield* up
      const daemon = yield* pidOf(paths.id, "dockerd --config-file")
      // Without our marker and outside our cgroups it is not ours to kill, but its namespace keeps the mounts.
      const intruder = spawn("nsenter", ["--target", String(daemon), "--mount", "sleep", "1000"], { stdio: "ignore" })
      const pid = intruder.pid ?? 0
      yield* eventually(
        "it is inside",
        () => readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync(`/proc/${daemon}/ns/mnt`)
      )
      const error = yield* Effect.flip(down)
      assert.strictEqual(error._tag, "PrivateEngineLeftovers")
      assert.include(error.message, `(seen by process ${pid})`)
      intruder.kill("SIGKILL")
      yield* eventually("it is gone", () => isGone(pid))
      yield* down
      assert.deepStrictEqual(yield* leftovers, [])
    })
  )
})

/** A socket file that nobody listens on any more. */
const staleSocket = (path: string): Promise<void> => {
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`
  return new Promise((resolve) => spawn(process.execPath, ["-e", script]).on("exit", () => resolve()))
}
