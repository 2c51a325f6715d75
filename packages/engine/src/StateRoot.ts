/** Where this machine's sbx processes keep what they share: the private engine, packages, image builds, workspaces, uid leases. */
import { resolve as resolvePath } from "node:path"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import { defaultStateRoot, isRoot } from "./internal/privateEngine/enginePaths.ts"

/** An empty variable counts as unset (XDG base directory specification). */
const variable = (name: string): Config.Config<string> => Config.String(name).pipe(Config.withDefault(""))

interface Variables {
  readonly explicit: string
  readonly xdg: string
  readonly home: string
}

const variables: Config.Config<Variables> = Config.all({
  explicit: variable("SBX_STATE_DIR"),
  xdg: variable("XDG_STATE_HOME"),
  home: variable("HOME")
})

const choose = ({ explicit, xdg, home }: Variables, root: boolean): string => {
  if (explicit !== "") return resolvePath(explicit)
  if (root) return defaultStateRoot
  // A relative XDG path is invalid and ignored, as that specification asks.
  return xdg.startsWith("/") ? `${xdg}/sbx` : `${home || "/tmp"}/.local/state/sbx`
}

/** {@link config} for a given user. */
export const configFor = (user: { readonly root: boolean }): Config.Config<string> =>
  Config.map(variables, (found) => choose(found, user.root))

/**
 * `SBX_STATE_DIR`; else `/var/lib/sbx` for root; else `$XDG_STATE_HOME/sbx` or `$HOME/.local/state/sbx`. Absolute; a relative
 * `SBX_STATE_DIR` is one of the working directory. The directory may not exist yet and may lie behind symlinks: {@link resolve}.
 */
export const config: Config.Config<string> = Config.mapEffect(variables, (found) =>
  Effect.map(isRoot, (root) => choose(found, root))
)

/** Creates the directory and returns its real path: the kernel knows mounts and loop devices by real paths only. */
export const resolve = Effect.fn("StateRoot.resolve")(function* (
  path: string
): Effect.fn.Return<string, PlatformError.PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(path, { recursive: true })
  return yield* fs.realPath(path)
})
