/** The root file system of a busybox recipe as tar entries. Pure: the busybox binary and its applet list come in. */
import { groupLines, type ImageRecipe, passwdLines, systemGroup, systemPasswd } from "../../ImageRecipe.ts"
import type { TarEntry } from "./tarWriter.ts"

const encoder = new TextEncoder()

const file = (path: string, mode: number, text: string): TarEntry => ({
  type: "file",
  path,
  mode,
  content: encoder.encode(text)
})

const fixedDirectories: ReadonlyArray<readonly [path: string, mode: number]> = [
  ["dev", 0o755],
  ["etc", 0o755],
  ["proc", 0o755],
  ["root", 0o700],
  ["run", 0o755],
  ["sys", 0o755],
  ["tmp", 0o1777],
  ["var", 0o755],
  ["var/tmp", 0o1777],
  ["workspace", 0o1777]
]

const parents = (path: string): ReadonlyArray<string> => {
  const parts = path.split("/").slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"))
}

/** `applets` as `busybox --list-full` prints them, e.g. `usr/bin/awk`. The sticky bit is kept; setuid and setgid never occur. */
export const busyboxEntries = (
  recipe: ImageRecipe,
  busybox: Uint8Array,
  applets: ReadonlyArray<string>
): ReadonlyArray<TarEntry> => {
  const links = applets.filter((path) => path.includes("/") && path !== "bin/busybox")
  const files = [
    file("etc/passwd", 0o644, systemPasswd + passwdLines(recipe)),
    file("etc/group", 0o644, systemGroup + groupLines(recipe)),
    ...recipe.files.map(({ path, mode, content }) => file(path.slice(1), mode, content))
  ]
  const fixed = new Map(fixedDirectories)
  const needed = ["bin/busybox", ...links, ...files.map((entry) => entry.path)].flatMap(parents)
  const directories = [...new Set([...fixed.keys(), ...needed])].toSorted()
  return [
    ...directories.map((path): TarEntry => ({ type: "directory", path, mode: fixed.get(path) ?? 0o755 })),
    { type: "file", path: "bin/busybox", mode: 0o755, content: busybox },
    ...links.toSorted().map((path): TarEntry => ({ type: "symlink", path, target: "/bin/busybox" })),
    ...files
  ]
}
