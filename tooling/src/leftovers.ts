/**
 * What a run left on the machine: `record FILE` before, `compare FILE` after. Looks from outside, through /proc, /sys and /tmp only:
 * mounts, loop devices, network namespaces of engines, engine processes, containers' cgroups, network interfaces, temporary
 * files. Exit code 1 when something is new. Namespaces of other programs are nobody's business here.
 */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs"

export type Census = Readonly<Record<string, ReadonlyArray<string>>>

const attempt = <A>(read: () => A, otherwise: A): A => {
  try {
    return read()
  } catch {
    // A process or device may vanish between listing and reading it.
    return otherwise
  }
}

const pids = (): ReadonlyArray<string> => readdirSync("/proc").filter((name) => /^\d+$/.test(name))
const commandLine = (pid: string): string =>
  attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim(), "")

const enginePattern = /^\S*(?:dockerd|containerd|containerd-shim\S*|docker-proxy|runc|crun)(?: |$)/

const enginePids = (): ReadonlyArray<string> => pids().filter((pid) => enginePattern.test(commandLine(pid)))

/** Fields of proc_pid_mountinfo(5): the fourth is the root within the file system, the fifth the mount point. */
const mountinfo = (pid: string): ReadonlyArray<ReadonlyArray<string>> =>
  attempt(() => readFileSync(`/proc/${pid}/mountinfo`, "utf8"), "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" "))

/** Those that an engine's process is in, and those that outlive all processes because they are mounted (nsfs). */
const networkNamespaces = (): ReadonlyArray<string> => {
  const engines = enginePids()
  const inUse = engines.map((pid) => attempt(() => readlinkSync(`/proc/${pid}/ns/net`), ""))
  const mounted = ["self", ...engines].flatMap((pid) => mountinfo(pid).map((fields) => fields[3] ?? ""))
  return [...new Set([...inUse, ...mounted])].filter((name) => name.startsWith("net:["))
}

const folders = (path: string): ReadonlyArray<string> =>
  attempt(() => readdirSync(path, { withFileTypes: true }), [])
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)

/**
 * Ids of containers that have a cgroup, each once however many hierarchies hold it: below the engine's parent (`docker`, or
 * `sbx-…` of the private engine) in every v1 hierarchy or in v2's only one, or a systemd scope.
 */
export const containerCgroups = (root: string): ReadonlyArray<string> => {
  const parents = [root, ...folders(root).map((name) => join(root, name))].flatMap((hierarchy) =>
    folders(hierarchy)
      .filter((name) => name === "docker" || name === "system.slice" || name.startsWith("sbx-"))
      .map((name) => join(hierarchy, name))
  )
  const ids = parents
    .flatMap(folders)
    .flatMap((name) => /^(?:docker-)?([0-9a-f]{64})(?:\.scope)?$/.exec(name)?.[1] ?? [])
  return [...new Set(ids)].sort()
}

/** The packages that engine tests unpack once per machine and keep on purpose. */
const keptInTemporary = "sbx-test-packages"

/** Our entries of a folder for temporary files. */
export const temporaryEntries = (folder: string): ReadonlyArray<string> =>
  attempt(() => readdirSync(folder), [])
    .filter((name) => name.startsWith("sbx-") && name !== keptInTemporary)
    .map((name) => join(folder, name))

const loops = (): ReadonlyArray<string> =>
  readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop") && existsSync(`/sys/block/${name}/loop/backing_file`))
    .map((name) => attempt(() => readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim(), ""))
    .filter((file) => file !== "")

/** What of interest is on the machine now. */
export const census = (): Census => ({
  "container cgroup": containerCgroups("/sys/fs/cgroup"),
  "engine process": enginePids().map(commandLine),
  interface: readdirSync("/sys/class/net"),
  "loop device": loops(),
  mount: mountinfo("self").map((fields) => fields[4] ?? ""),
  "network namespace": networkNamespaces(),
  "temporary entry": temporaryEntries(tmpdir())
})

/** Lines `kind: thing` for each thing of `after` that occurs more often than in `before`. */
export const added = (before: Census, after: Census): ReadonlyArray<string> =>
  Object.entries(after).flatMap(([kind, things]) => {
    const known = [...(before[kind] ?? [])]
    return things.flatMap((thing) => {
      const index = known.indexOf(thing)
      if (index < 0) return [`${kind}: ${thing}`]
      known.splice(index, 1)
      return []
    })
  })

const main = (command: string | undefined, file: string | undefined): number => {
  if (file === undefined || (command !== "record" && command !== "compare")) {
    console.error("usage: leftovers.ts record|compare FILE")
    return 2
  }
  if (command === "record") {
    writeFileSync(file, JSON.stringify(census()))
    return 0
  }
  const before = attempt(() => readFileSync(file, "utf8"), "")
  if (before === "") {
    console.error(`Could not compare: ${file} holds no record.\nRun \`leftovers.ts record ${file}\` first.`)
    return 1
  }
  const left = added(JSON.parse(before), census())
  for (const line of left) console.error(`left behind: ${line}`)
  if (left.length === 0) console.error(`nothing left behind: no ${Object.keys(census()).join(", ")} is new`)
  return left.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = main(process.argv[2], process.argv[3])
