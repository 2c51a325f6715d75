/** Adapter (node:fs, node:os): what a path must be before a database touches it, and who this process is. */
import { Effect } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { UnavailableReason } from "../Journal.ts"
import { JournalUnavailable } from "../Journal.ts"

const refuse = (file: string, reason: UnavailableReason, detail: string) =>
  Effect.fail(new JournalUnavailable({ operation: "open", reason, detail, path: file }))

const accessible = (file: string, mode: number): boolean => {
  try {
    fs.accessSync(file, mode)
    return true
  } catch {
    return false
  }
}

/** Refuses a missing or read-only directory or file before anything is created. access(2) knows read-only mounts too. */
export const checkWritable = (file: string): Effect.Effect<void, JournalUnavailable> =>
  Effect.suspend(() => {
    const directory = path.dirname(path.resolve(file))
    if (!isDirectory(directory)) return refuse(file, "NotFound", `${directory} is not a directory`)
    if (!accessible(directory, fs.constants.W_OK | fs.constants.X_OK)) {
      return refuse(file, "ReadOnly", `${directory} is not writable`)
    }
    if (fs.existsSync(file) && !accessible(file, fs.constants.W_OK)) {
      return refuse(file, "ReadOnly", "the file is not writable")
    }
    return Effect.void
  })

/** Refuses a missing file: opening read-only must not be taken for an empty journal. */
export const checkReadable = (file: string): Effect.Effect<void, JournalUnavailable> =>
  Effect.suspend(() => (fs.existsSync(file) ? Effect.void : refuse(file, "NotFound", "there is no such file")))

export const fileExists = (file: string): boolean => fs.existsSync(file)

const isDirectory = (directory: string): boolean =>
  fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() ?? false

/** Host, pid and boot: a pid means nothing after a reboot or on another host. */
export const thisProcess = () => ({ host: os.hostname(), pid: process.pid, bootId: bootId() })

// random(4): a new value at every boot. Absent outside Linux.
const bootId = (): string => {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
  } catch {
    return "unknown"
  }
}
