// @effect-diagnostics processEnv:off -- the state folder is the one that the global set-up's engine has
/**
 * What an engine and its clients have on this machine, seen from outside, through /proc and /sys: mounts, network namespaces,
 * loop devices, cgroups, shims, uid leases. Knows nothing of the library that is under test.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { address } from "./realEngine.ts"

export const attempt = <A>(read: () => A, otherwise: A): A => {
  try {
    return read()
  } catch {
    // It vanished between listing and reading.
    return otherwise
  }
}

export const text = (file: string): string => attempt(() => readFileSync(file, "latin1"), "")
export const folders = (folder: string): ReadonlyArray<string> =>
  attempt(() => readdirSync(folder, { withFileTypes: true }), [])
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

/** The private engine of the state folder keeps its pid beside its socket. */
const daemonPid = (): string => text(path.join(path.dirname(address.replace("unix://", "")), "docker.pid")).trim()

/** The engine can be seen into from here: its daemon's mounts are readable. */
export const visible = (): boolean => daemonPid() !== "" && existsSync(`/proc/${daemonPid()}/mountinfo`)

const ownNetwork = (): string => networkOf(Number(daemonPid()))

/** proc_pid_mountinfo(5): the fourth field is the root within the file system, the fifth the mount point. */
const mountinfo = (): ReadonlyArray<ReadonlyArray<string>> =>
  text(`/proc/${daemonPid()}/mountinfo`)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" "))
    // The daemon binds its own network namespace once, at the first container on the host's network, and keeps it.
    .filter((fields) => fields[3] !== ownNetwork())

/** `sidecar` cgroups lie below their target's, so two levels of container ids. */
const cgroups = (): ReadonlyArray<string> => {
  const isId = (name: string) => /^[0-9a-f]{64}$/.test(name)
  const found = folders("/sys/fs/cgroup").flatMap((hierarchy) =>
    folders(`/sys/fs/cgroup/${hierarchy}`)
      .filter((name) => name === "docker" || name.startsWith("sbx-"))
      .flatMap((parent) => {
        const below = `/sys/fs/cgroup/${hierarchy}/${parent}`
        const outer = folders(below).filter(isId)
        return [...outer, ...outer.flatMap((id) => folders(`${below}/${id}`).filter(isId))]
      })
  )
  return [...new Set(found)]
}

export const loops = (): ReadonlyArray<string> =>
  folders("/sys/block")
    .concat(attempt(() => readdirSync("/sys/block"), []))
    .filter((name) => name.startsWith("loop"))
    .map((name) => text(`/sys/block/${name}/loop/backing_file`).trim())
    .filter((file) => file !== "")

const shims = (): ReadonlyArray<string> =>
  attempt(() => readdirSync("/proc"), [])
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => text(`/proc/${pid}/cmdline`).replaceAll("\0", " "))
    .filter((line) => line.includes("containerd-shim"))

/** `kind: thing`, each once. */
export const look = (): ReadonlySet<string> =>
  new Set([
    ...mountinfo().map((fields) => `mount: ${fields[4]}`),
    ...mountinfo()
      .filter((fields) => fields[3]?.startsWith("net:["))
      .map((fields) => `network namespace: ${fields[3]}`),
    ...loops().map((file) => `loop device: ${file}`),
    ...cgroups().map((id) => `cgroup: ${id}`),
    ...shims().map((line) => `shim: ${line}`)
  ])

/** The network namespace of a process. */
export const networkOf = (pid: number): string => attempt(() => readlinkSync(`/proc/${pid}/ns/net`), "")

export const stateFolder = process.env["SBX_STATE_DIR"] ?? "/var/lib/sbx"

/** Sandboxes for which the process `pid` still holds a uid. The owner's label is `<boot>/<pid namespace>/<pid>/<start>`. */
export const leasesOf = (pid: number): ReadonlyArray<string> => {
  const database = new DatabaseSync(path.join(stateFolder, "leases.sqlite"), { readOnly: true, timeout: 5000 })
  try {
    const rows = database.prepare("SELECT sandbox, owner FROM lease").all()
    return rows.filter(({ owner }) => String(owner).split("/")[2] === String(pid)).map(({ sandbox }) => String(sandbox))
  } finally {
    database.close()
  }
}
