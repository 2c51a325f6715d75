// @effect-diagnostics globalTimers:off -- polls the machine
/**
 * A private engine whose state lies beneath a folder, seen from outside: its processes carry its id in their environment, its
 * containers' cgroups and its volatile folder are named after it.
 */
import { existsSync, readdirSync } from "node:fs"
import { attempt, folders, loops, text } from "./machineView.ts"

const pids = () => readdirSync("/proc").filter((name) => /^\d+$/.test(name))
const commandOf = (pid: string) => text(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()
const idOf = (pid: string) => /(?:^|\0)SBX_ENGINE_ID=(\w+)/.exec(text(`/proc/${pid}/environ`))?.[1]

/** Ids of the engines whose daemon was started with something beneath the folder. */
const idsBelow = (folder: string): ReadonlyArray<string> =>
  pids()
    .filter((pid) => commandOf(pid).startsWith("dockerd ") && commandOf(pid).includes(`${folder}/`))
    .flatMap((pid) => idOf(pid) ?? [])

/** Resolves to the id of the engine once it is there; rejects when `ended` comes first. */
export const appears = async (folder: string, ended: Promise<{ readonly stderr: string }>): Promise<string> => {
  let over: string | undefined
  void ended.then(({ stderr }) => (over = stderr))
  for (;;) {
    const [id] = idsBelow(folder)
    if (id !== undefined) return id
    if (over !== undefined) throw new Error(`it ended without an engine of its own:\n${over}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** What the machine has of it, by kind. */
export const look = (id: string, folder: string) => {
  const hierarchies = ["/sys/fs/cgroup", ...folders("/sys/fs/cgroup").map((name) => `/sys/fs/cgroup/${name}`)]
  const mounts = text("/proc/self/mountinfo").split("\n")
  return {
    processes: pids()
      .filter((pid) => idOf(pid) === id)
      .map(commandOf),
    cgroups: hierarchies.map((hierarchy) => `${hierarchy}/sbx-${id}`).filter((path) => existsSync(path)),
    mounts: mounts.filter((line) => line.includes(`${folder}/`) || line.includes(`/sbx/${id}`)),
    loops: loops().filter((file) => file.startsWith(`${folder}/`)),
    volatile: attempt(() => readdirSync("/run/sbx"), []).filter((name) => name === id)
  }
}
