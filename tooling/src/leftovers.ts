/**
 * What a run left on the machine: `record FILE` before, `compare FILE` after. Looks from outside, through /proc and /sys only:
 * mounts, loop devices, network namespaces, engine processes, network interfaces. Exit code 1 when something is new.
 */
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

const mounts = (): ReadonlyArray<string> =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" ")[4] ?? "")

const loops = (): ReadonlyArray<string> =>
  readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop") && existsSync(`/sys/block/${name}/loop/backing_file`))
    .map((name) => attempt(() => readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim(), ""))
    .filter((file) => file !== "")

/** What of interest is on the machine now. */
export const census = (): Census => ({
  "engine process": pids()
    .map(commandLine)
    .filter((line) => enginePattern.test(line)),
  interface: readdirSync("/sys/class/net"),
  "loop device": loops(),
  mount: mounts(),
  "network namespace": [...new Set(pids().map((pid) => attempt(() => readlinkSync(`/proc/${pid}/ns/net`), "")))].filter(
    (inode) => inode !== ""
  )
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
  const left = added(JSON.parse(readFileSync(file, "utf8")), census())
  for (const line of left) console.error(`left behind: ${line}`)
  if (left.length === 0)
    console.error("nothing left behind: no engine process, interface, loop device, mount or network namespace is new")
  return left.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = main(process.argv[2], process.argv[3])
