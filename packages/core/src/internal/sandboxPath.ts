/** Where the archive API of an engine can read and write in a sandbox, on text alone. */
import type { SandboxSpec } from "../SandboxSpec.ts"

/** Absolute and normal; relative paths start at the workspace. Climbing stops at the root, as in the kernel. */
export const absolute = (spec: SandboxSpec, path: string): string => {
  const segments: Array<string> = []
  for (const segment of (path.startsWith("/") ? path : `${spec.workspace.path}/${path}`).split("/")) {
    if (segment === "..") segments.pop()
    else if (segment !== "" && segment !== ".") segments.push(segment)
  }
  return `/${segments.join("/")}`
}

const contains = (root: string, path: string) => path === root || root === "/" || path.startsWith(`${root}/`)

/** The kernel's own file systems and the private tmpfs: the engine sees the empty directories below them. */
const invisible = ["/proc", "/sys", "/dev", "/tmp"]

export const isVisible = (spec: SandboxSpec, path: string): boolean =>
  contains(spec.workspace.path, path) || !invisible.some((root) => contains(root, path))

/** Directories below which files may be put. */
export const writableRoots = (spec: SandboxSpec): ReadonlyArray<string> => [
  spec.workspace.path,
  ...(spec.loosening.binds ?? []).filter((bind) => bind.writable).map((bind) => bind.target),
  ...(spec.loosening.writableRoot === true ? ["/"] : [])
]

/** The root that a path may be written below, and the path's segments below it; absent when there is none. */
export const writablePlace = (
  spec: SandboxSpec,
  path: string
): { readonly root: string; readonly below: ReadonlyArray<string> } | undefined => {
  const root = writableRoots(spec).find((candidate) => contains(candidate, path))
  if (root === undefined || !isVisible(spec, path)) return undefined
  return {
    root,
    below: path
      .slice(root === "/" ? 1 : root.length + 1)
      .split("/")
      .filter((segment) => segment !== "")
  }
}
