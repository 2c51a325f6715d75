/**
 * What a dead run left, seen by an observer that shares nothing with it: objects of the engine by the journal path in their labels, the
 * machine's loop devices and mounts by the names of its volumes.
 */
import { keys, objectPrefix } from "@sbx/core/SandboxLabels"
import { Engine } from "@sbx/engine/Engine"
import * as StateRoot from "@sbx/engine/StateRoot"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"

/** Names of the containers, volumes and networks whose journal lies beneath `cwd`. */
export const objectsOf = Effect.fnUntraced(function* (cwd: string) {
  const engine = yield* Engine
  const [containers, volumes, networks] = yield* Effect.all(
    [engine.listContainers({}), engine.listVolumes({}), engine.listNetworks({})],
    { concurrency: "unbounded" }
  )
  const mine = (kind: string, found: ReadonlyArray<{ readonly name: string; readonly labels: Labels }>) =>
    found
      .filter(({ labels }) => (labels[keys.journalPath] ?? "").startsWith(`${cwd}/`))
      .map(({ name }) => `${kind} ${name}`)
  return [...mine("container", containers), ...mine("volume", volumes), ...mine("network", networks)]
})

/**
 * Whatever bears a name of this journal's, labelled or not, in the engine and on this machine: an engine makes a volume anew, without
 * labels, for a container that asks for one which was removed.
 */
export const namedAfter = Effect.fnUntraced(function* (journalId: string) {
  const engine = yield* Engine
  const prefix = objectPrefix(journalId)
  const [containers, volumes, networks] = yield* Effect.all(
    [engine.listContainers({}), engine.listVolumes({}), engine.listNetworks({})],
    { concurrency: "unbounded" }
  )
  const found = (kind: string, all: ReadonlyArray<{ readonly name: string }>) =>
    all.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => `${kind} ${name}`)
  const images = `${yield* StateRoot.config}/volumes`
  const files = existsSync(images) ? readdirSync(images, { recursive: true, encoding: "utf8" }) : []
  return [
    ...found("container", containers),
    ...found("volume", volumes),
    ...found("network", networks),
    ...files.filter((file) => file.includes(`/${prefix}`)).map((file) => `file ${images}/${file}`),
    ...loopsOf([`/${prefix}`])
  ]
})

type Labels = Readonly<Record<string, string>>

const text = (file: string): string => {
  try {
    return readFileSync(file, "latin1")
  } catch {
    // It vanished between listing and reading.
    return ""
  }
}

/** Loop devices attached to an image named after one of these volumes. */
export const loopsOf = (volumes: ReadonlyArray<string>): ReadonlyArray<string> =>
  readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop"))
    .map((name) => text(`/sys/block/${name}/loop/backing_file`).trim())
    .filter((file) => volumes.some((volume) => file.includes(volume)))
    .map((file) => `loop device of ${file}`)

/** Sandboxes for which the process `pid` still holds a uid. The owner's label is `<boot>/<pid namespace>/<pid>/<start>`. */
export const leasesOf = Effect.fnUntraced(function* (pid: number) {
  const file = `${yield* StateRoot.config}/leases.sqlite`
  if (!existsSync(file)) return []
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    const rows = database.prepare("SELECT sandbox, owner FROM lease").all()
    const mine = rows.filter(({ owner }) => String(owner).split("/")[2] === String(pid))
    return mine.map(({ sandbox }) => `uid lease of ${String(sandbox)}`)
  } finally {
    database.close()
  }
})

const links = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(`${folder}/${name}`)]
      } catch {
        return []
      }
    })
  } catch {
    // The process ended.
    return []
  }
}

/** Processes of this machine that hold a file beneath `cwd` open, but for this one. */
export const processesOf = (cwd: string): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => links(`/proc/${pid}/fd`).some((file) => file.startsWith(`${cwd}/`)))
    .map((pid) => `process ${pid}: ${text(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()}`)

/** Looks until nothing is left or `limitMillis` have passed since `sinceMillis`. Resolves to what is left and how long it took. */
export const awaitGone = Effect.fnUntraced(function* <E, R>(
  look: Effect.Effect<ReadonlyArray<string>, E, R>,
  sinceMillis: number,
  limitMillis: number
) {
  for (;;) {
    const left = yield* look
    const millis = (yield* Clock.currentTimeMillis) - sinceMillis
    if (left.length === 0 || millis > limitMillis) return { left, millis }
    yield* Effect.sleep("50 millis")
  }
})
