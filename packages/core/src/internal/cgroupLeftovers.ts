/**
 * Cgroups (v1) that a removed container left, which happens when a nested one outlived it: the runtime cannot remove a parent
 * with children. An adapter over /sys/fs/cgroup. Removes only directories named by the container's id, and rmdir(2) only
 * those without processes and children.
 */
import * as fs from "node:fs"

const root = "/sys/fs/cgroup"
/** Below a hierarchy: the engine's parent (sbx's private one has its own), and one level of nesting. */
const parents = ["docker", "docker/*", "sbx-*", "sbx-*/*"]
const containerId = /^[0-9a-f]{64}$/

/** Paths of this machine's cgroups of that container, empty or not. */
export const cgroupsOf = (id: string): ReadonlyArray<string> =>
  containerId.test(id) ? fs.globSync(parents.map((parent) => `${root}/*/${parent}/${id}`)) : []

/** What is in use stays; it may be somebody else's nested container. */
export const removeEmptyCgroups = (id: string): void => {
  for (const path of cgroupsOf(id)) {
    try {
      fs.rmdirSync(path)
    } catch {
      // In use, gone, or not ours to write: no harm, and the next removal tries again.
    }
  }
}
