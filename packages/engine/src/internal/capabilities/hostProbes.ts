/** The host: room on the engine's disk and the tools that some rungs call. */
import * as Effect from "effect/Effect"
import { runCommand } from "../privateEngine/command.ts"
import { remoteness } from "./locality.ts"
import type { Probe } from "./probe.ts"
import { fail, pass, unknown } from "./probe.ts"

const gibibyte = 1024 ** 3
/** Images of all recipes and a run's workspaces. */
const neededBytes = 2 * gibibyte

const freeDisk: Probe = {
  name: "free-disk",
  required: true,
  advice: "Free at least 2 GiB on the disk of the engine's data root, or move it (`data-root` in daemon.json).",
  look: (site) =>
    Effect.gen(function* () {
      const remote = yield* remoteness(site)
      if (remote !== undefined) return unknown(remote)
      const { dataRoot } = yield* site.engine.info
      // POSIX format: 1024-byte blocks, the fourth column is what is free for us.
      const { exitCode, stdout, stderr } = yield* runCommand("df", ["-Pk", "--", dataRoot])
      const kibibytes = Number(stdout.trim().split("\n").at(-1)?.split(/\s+/)[3])
      if (exitCode !== 0 || !Number.isFinite(kibibytes)) return unknown(stderr.trim() || `df said: ${stdout}`)
      const found = `${((kibibytes * 1024) / gibibyte).toFixed(1)} GiB free at ${dataRoot}`
      return kibibytes * 1024 >= neededBytes ? pass(found) : fail(found)
    })
}

/** Debian package by tool. */
const tools: Readonly<Record<string, string>> = {
  unshare: "util-linux",
  nsenter: "util-linux",
  flock: "util-linux",
  losetup: "mount",
  mount: "mount",
  "mkfs.ext4": "e2fsprogs",
  debugfs: "e2fsprogs",
  tar: "tar"
}

const hostTools: Probe = {
  name: "host-tools",
  required: false,
  advice: `Install what is missing: apt-get install ${[...new Set(Object.values(tools))].join(" ")}`,
  look: () =>
    Effect.gen(function* () {
      const names = Object.keys(tools)
      const script = 'PATH="$PATH:/usr/sbin:/sbin"; for tool; do command -v "$tool" >/dev/null || echo "$tool"; done'
      const { stdout } = yield* runCommand("sh", ["-c", script, "sh", ...names])
      const missing = stdout
        .trim()
        .split("\n")
        .filter((name) => name !== "")
      return missing.length === 0 ? pass(names.join(", ")) : fail(`missing: ${missing.join(", ")}`)
    })
}

export const hostProbes: ReadonlyArray<Probe> = [freeDisk, hostTools]
