/** Unpacks `.deb` files into one folder, all or nothing: a temporary folder becomes the prefix by one rename. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import type { ResolvedPackage } from "./apt.ts"
import { runCommand } from "./command.ts"

export class UnpackFailed extends Schema.TaggedError<UnpackFailed>()("UnpackFailed", {
  detail: Schema.String
}) {}

/** apt writes the epoch's colon as %3a: `busybox-static_1%3a1.35.0-4_amd64.deb`. */
const isFileOf =
  ({ name, version }: ResolvedPackage) =>
  (file: string): boolean =>
    file.startsWith(`${name.replace(/:.*$/, "")}_${version.replaceAll(":", "%3a")}_`) && file.endsWith(".deb")

const extract = Effect.fnUntraced(function* (
  archives: string,
  files: ReadonlyArray<string>,
  wanted: ResolvedPackage,
  target: string
) {
  const file = files.find(isFileOf(wanted))
  if (file === undefined) {
    return yield* new UnpackFailed({ detail: `the file of ${wanted.name} ${wanted.version} is missing` })
  }
  const result = yield* runCommand("dpkg-deb", ["--extract", `${archives}/${file}`, target])
  if (result.exitCode !== 0) {
    return yield* new UnpackFailed({ detail: `${file}: ${result.stderr.trim().replaceAll("\n", "; ")}` })
  }
})

/** Does nothing when `prefix` exists. The caller holds the lock of the parent folder: what an interrupted call left is removed. */
export const unpackPackages = Effect.fnUntraced(function* (
  archives: string,
  packages: ReadonlyArray<ResolvedPackage>,
  prefix: string
): Effect.fn.Return<void, UnpackFailed | PlatformError.PlatformError, FileSystem.FileSystem | ChildProcessSpawner> {
  const fs = yield* FileSystem.FileSystem
  if (yield* fs.exists(prefix)) return
  const parent = prefix.slice(0, prefix.lastIndexOf("/"))
  yield* fs.makeDirectory(parent, { recursive: true })
  for (const name of yield* fs.readDirectory(parent)) {
    if (name.startsWith("unpacking-")) yield* fs.remove(`${parent}/${name}`, { recursive: true, force: true })
  }
  yield* Effect.scoped(
    Effect.gen(function* () {
      const temporary = yield* fs.makeTempDirectoryScoped({ directory: parent, prefix: "unpacking-" })
      const target = `${temporary}/root`
      yield* fs.makeDirectory(target)
      const files = yield* fs.readDirectory(archives)
      // Two at a time: unpacking is decompression, one core each.
      yield* Effect.forEach(packages, (wanted) => extract(archives, files, wanted, target), {
        concurrency: 2,
        discard: true
      })
      yield* fs.rename(target, prefix)
    })
  )
})
