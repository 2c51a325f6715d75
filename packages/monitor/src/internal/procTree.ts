/**
 * What /proc tells of a process and those below it: proc_pid_stat(5), proc_pid_mountinfo(5), namespaces(7). A process that ends while it
 * is looked at is left out; one that may not be looked at makes the answer unreadable, since a count of some is no count.
 */
import * as fs from "node:fs"
import type { HostFiles, Unreadable } from "./hostFiles.ts"
import { hostFiles, isUnreadable } from "./hostFiles.ts"

export interface ProcFiles extends Pick<HostFiles, "read" | "list"> {
  /** Target of a symbolic link. */
  readonly link: (path: string) => string | Unreadable
}

/** This machine's. */
export const procFiles: ProcFiles = {
  read: hostFiles.read,
  list: hostFiles.list,
  link: (path) => {
    try {
      return fs.readlinkSync(path)
    } catch (error) {
      return { code: error instanceof Error && "code" in error ? String(error.code) : "EIO" }
    }
  }
}

export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly isZombie: boolean
}

/** A process went away between being listed and being read. */
const isGone = ({ code }: Unreadable) => code === "ENOENT" || code === "ESRCH"

/** All processes that /proc shows. */
export const processesOf = (files: ProcFiles, proc: string): ReadonlyArray<ProcessEntry> | Unreadable => {
  const listed = files.list(proc)
  if (isUnreadable(listed)) return listed
  const entries: Array<ProcessEntry> = []
  for (const name of listed.names) {
    if (!/^[0-9]+$/.test(name)) continue
    const text = files.read(`${proc}/${name}/stat`)
    if (isUnreadable(text)) {
      if (isGone(text)) continue
      return text
    }
    // The command, in parentheses, may hold anything: what counts comes after the last one.
    const [state, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ")
    entries.push({ pid: Number(name), parent: Number(parent), isZombie: state === "Z" })
  }
  return entries
}

/** The process and all below it; empty when it is not there. */
export const treeOf = (entries: ReadonlyArray<ProcessEntry>, root: number): ReadonlyArray<ProcessEntry> => {
  const children = Map.groupBy(entries, ({ parent }) => parent)
  const found = entries.filter(({ pid }) => pid === root)
  for (const { pid } of found) found.push(...(children.get(pid) ?? []))
  return found
}

/** Network namespaces of these processes, by inode number. */
export const networkNamespacesOf = (
  files: ProcFiles,
  proc: string,
  entries: ReadonlyArray<ProcessEntry>
): ReadonlySet<string> | Unreadable => {
  const found = new Set<string>()
  for (const { isZombie, pid } of entries) {
    // A zombie has none any more.
    if (isZombie) continue
    const link = files.link(`${proc}/${pid}/ns/net`)
    if (!isUnreadable(link)) found.add(link)
    else if (!isGone(link)) return link
  }
  return found
}

/** Lines of a process's mountinfo, and the network namespaces kept alive by a mount (`ip netns add`, engines). */
export const mountsOf = (
  files: ProcFiles,
  proc: string,
  pid: number
): { readonly mounts: number; readonly networkNamespaces: ReadonlyArray<string> } | Unreadable => {
  const text = files.read(`${proc}/${pid}/mountinfo`)
  if (isUnreadable(text)) return text
  const lines = text.split("\n").filter((line) => line !== "")
  const networkNamespaces = lines.flatMap((line) => {
    const root = line.split(" ")[3] ?? ""
    return root.startsWith("net:[") && line.includes(" - nsfs ") ? [root] : []
  })
  return { mounts: lines.length, networkNamespaces }
}
