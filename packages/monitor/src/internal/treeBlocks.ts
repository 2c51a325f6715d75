/**
 * Disk blocks of a directory's tree, as du(1) counts them, without the directory itself. An adapter. The tree is written by a hostile
 * container meanwhile: no link is ever followed (each directory is opened in its parent's descriptor), and the work is bounded.
 */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import type { Measured } from "../Sample.ts"

/** Entries and depth at which it gives up. */
export interface Bounds {
  readonly entries: number
  readonly depth: number
}

/** 20,000 entries take about 0.2 s, in turns of 500. */
const defaults: Bounds = { entries: 20_000, depth: 64 }
const turn = 500

const directoryFlags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW

interface Walk {
  readonly bounds: Bounds
  readonly open: Array<{ readonly file: number; readonly names: Array<string> }>
  /** Of files with several names. */
  readonly seen: Set<string>
  entries: number
  bytes: number
}

/** Bytes on disk; `too-costly` beyond the bound, `permission-denied` where a part may not be seen. */
export const treeBlocks = (path: string, bounds: Bounds = defaults): Effect.Effect<Measured> =>
  Effect.acquireUseRelease(
    Effect.sync((): Walk => ({ bounds, open: [], seen: new Set(), entries: 0, bytes: 0 })),
    Effect.fnUntraced(function* (walk) {
      for (let result = guarded(() => enter(walk, path)); ; result = guarded(() => advance(walk))) {
        if (result !== undefined) return result
        if (walk.open.length === 0) return walk.bytes
        yield* Effect.yieldNow
      }
    }),
    (walk) => Effect.sync(() => walk.open.forEach(({ file }) => fs.closeSync(file)))
  )

/** The reason why a step failed; a step that went well has none. */
const guarded = (step: () => "too-costly" | undefined): Measured | undefined => {
  try {
    return step()
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    return code === "EACCES" || code === "EPERM" ? "permission-denied" : "not-reported"
  }
}

const enter = (walk: Walk, path: string): "too-costly" | undefined => {
  if (walk.open.length >= walk.bounds.depth) return "too-costly"
  const file = fs.openSync(path, directoryFlags)
  // On the list first: it is closed whatever happens.
  const names: Array<string> = []
  walk.open.push({ file, names })
  for (const name of fs.readdirSync(`/proc/self/fd/${file}`)) names.push(name)
  return undefined
}

/** One turn: up to {@link turn} entries. */
const advance = (walk: Walk): "too-costly" | undefined => {
  for (let done = 0; done < turn; done++) {
    const current = walk.open.at(-1)
    if (current === undefined) return undefined
    const name = current.names.pop()
    if (name === undefined) {
      walk.open.pop()
      fs.closeSync(current.file)
    } else {
      if (++walk.entries > walk.bounds.entries) return "too-costly"
      const bound = visit(walk, `/proc/self/fd/${current.file}/${name}`)
      if (bound !== undefined) return bound
    }
  }
  return undefined
}

const visit = (walk: Walk, path: string): "too-costly" | undefined => {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (stat.isDirectory()) {
    walk.bytes += stat.blocks * 512
    return enterIfThere(walk, path)
  }
  const id = `${stat.dev}:${stat.ino}`
  if (stat.nlink > 1 && walk.seen.has(id)) return undefined
  if (stat.nlink > 1) walk.seen.add(id)
  walk.bytes += stat.blocks * 512
  return undefined
}

/** What was a directory a moment ago may be gone, or a link or a file now: then it holds nothing. */
const enterIfThere = (walk: Walk, path: string): "too-costly" | undefined => {
  try {
    return enter(walk, path)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ENOENT" || code === "ELOOP" || code === "ENOTDIR") return undefined
    throw error
  }
}
