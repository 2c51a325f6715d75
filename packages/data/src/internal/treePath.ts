/** The rules for paths and link targets of a tree, on text alone. */

const encoder = new TextEncoder()

/** The first rule that a path breaks, or nothing. */
export const pathFault = (
  path: string
): "empty" | "absolute" | "traversal" | "notNormal" | "character" | "tooLong" | undefined => {
  if (path === "") return "empty"
  if (path.startsWith("/")) return "absolute"
  if (path.includes("\0") || !path.isWellFormed()) return "character"
  const segments = path.split("/")
  if (segments.includes("..")) return "traversal"
  if (segments.includes(".") || segments.includes("")) return "notNormal"
  const bytes = (text: string): number => encoder.encode(text).length
  // NAME_MAX is 255 bytes; PATH_MAX is 4096 with the closing NUL (linux/limits.h).
  return bytes(path) > 4095 || segments.some((segment) => bytes(segment) > 255) ? "tooLong" : undefined
}

/**
 * Whether a link's target is empty, absolute, or climbs above the root at any point. Resolved on text: a target that
 * climbs after entering another link is judged by its own ".." count alone, so going down and up again is refused too.
 */
export const linkEscapes = (path: string, target: string): boolean => {
  if (target === "" || target.startsWith("/")) return true
  const segments = target.split("/").filter((segment) => segment !== "" && segment !== ".")
  const up = segments.findIndex((segment) => segment !== "..")
  const climbs = up === -1 ? segments.length : up
  // ".." after a name may follow a link whose own target lies higher than its name.
  if (segments.slice(climbs).includes("..")) return true
  return climbs > path.split("/").length - 1
}
