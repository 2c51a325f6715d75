/**
 * Files in and out of a sandbox through the engine's archive API: works on running, paused and stopped sandboxes, needs no
 * program inside (but `remove` does), and is checked by SHA-256. Refuses entries that could reach beyond where they were meant to go.
 */
import type { PathStat } from "@sbx/engine/Engine"
import type { CallError, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type { AppendError } from "@sbx/journal/Journal"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { CommandFailed, ExecError } from "./Exec.ts"
import type { EntryFault, TreeEntry } from "./internal/treeEntry.ts"

export type { TreeEntry }

/** There is no such path inside. */
export class FileNotFound extends Schema.TaggedError<FileNotFound>()("FileNotFound", {
  sandboxId: Schema.String,
  path: Schema.String
}) {
  override get message() {
    return `Could not find ${this.path} in sandbox ${this.sandboxId}.\nPaths that are not absolute start at the workspace; a memory workspace is empty after a stop.`
  }
}

/** The path is of another kind than the operation needs. */
export class WrongFileKind extends Schema.TaggedError<WrongFileKind>()("WrongFileKind", {
  sandboxId: Schema.String,
  path: Schema.String,
  expected: Schema.Literals(["file", "directory"]),
  actual: Schema.String
}) {
  override get message() {
    return `Could not use ${this.path} in sandbox ${this.sandboxId} as a ${this.expected}: it is a ${this.actual}.`
  }
}

/** The path lies where files cannot be put, or where the engine cannot see them (/tmp, /dev, /proc, /sys). */
export class PathOutside extends Schema.TaggedError<PathOutside>()("PathOutside", {
  sandboxId: Schema.String,
  path: Schema.String,
  operation: Schema.Literals(["read", "write"]),
  /** Where it is possible. */
  possible: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not ${this.operation} ${this.path} in sandbox ${this.sandboxId}: it is out of reach.\nUse a path below ${this.possible.join(" or ")}.`
  }
}

const explanations: Record<EntryFault, string> = {
  absolute: "its path is absolute",
  traversal: 'its path holds ".."',
  malformed: "its path is empty, not normal or not text",
  "special-file": "it is a device, pipe or socket",
  "set-id": "it has a set-user-id or set-group-id bit",
  "link-escapes": "it links to something outside of the tree",
  "below-link": "something on its way is not a directory",
  duplicate: "its path occurs twice"
}

/** An entry was refused before it was carried; nothing of an upload was written. */
export class UnsafeEntry extends Schema.TaggedError<UnsafeEntry>()("UnsafeEntry", {
  direction: Schema.Literals(["upload", "download"]),
  path: Schema.String,
  reason: Schema.Literals([
    "absolute",
    "traversal",
    "malformed",
    "special-file",
    "set-id",
    "link-escapes",
    "below-link",
    "duplicate"
  ])
}) {
  override get message() {
    return `Could not ${this.direction} ${this.path}: ${explanations[this.reason]}.\nRemove or rename the entry.`
  }
}

/** The workspace is full. */
export class NoSpaceLeft extends Schema.TaggedError<NoSpaceLeft>()("NoSpaceLeft", {
  sandboxId: Schema.String,
  path: Schema.String
}) {
  override get message() {
    return `Could not write ${this.path} in sandbox ${this.sandboxId}: no space left.\nGive the sandbox a larger disk, or remove files.`
  }
}

/** What arrived is not what was sent; something inside may be writing to it. */
export class ChecksumMismatch extends Schema.TaggedError<ChecksumMismatch>()("ChecksumMismatch", {
  path: Schema.String,
  /** SHA-256, hex; `absent` when there is nothing. */
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message() {
    return `Could not verify ${this.path}: sent ${this.expected.slice(0, 12)}, found ${this.actual.slice(0, 12)}.\nCheck whether a process in the sandbox writes to it.`
  }
}

/** More bytes than the caller wants to hold. A sparse file counts with its full length. */
export class TransferTooLarge extends Schema.TaggedError<TransferTooLarge>()("TransferTooLarge", {
  path: Schema.String,
  limitBytes: Schema.Finite
}) {
  override get message() {
    return `Could not read ${this.path}: it is larger than ${this.limitBytes} bytes.\nRaise limitBytes, or use downloadFile.`
  }
}

/** The file on this machine. */
export class HostFileFailed extends Schema.TaggedError<HostFileFailed>()("HostFileFailed", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not use ${this.path} on this machine: ${this.detail}`
  }
}

export type ReadError =
  | FileNotFound
  | WrongFileKind
  | PathOutside
  | TransferTooLarge
  | CallError
  | ObjectNotFound
  | AppendError
export type WriteError =
  | FileNotFound
  | PathOutside
  | UnsafeEntry
  | NoSpaceLeft
  | CallError
  | ObjectNotFound
  | InvalidRequest
  | AppendError

export interface FileEntry extends PathStat {
  /** Absolute, inside. */
  readonly path: string
}

export interface Transfer {
  readonly path: string
  readonly files: number
  readonly bytes: number
  /** Of the content for one file; for a tree of its entries, equal to `@sbx/data`'s `Tree.checksum`. Hex. */
  readonly sha256: string
}

export interface TreeDownload extends Transfer {
  /** In archive order, parents first; paths relative to the directory that was asked for. */
  readonly entries: ReadonlyArray<TreeEntry>
}

/** Paths are absolute, or relative to the workspace. */
export interface SandboxFiles {
  /** At most `limitBytes`, default 64 MiB. Follows symbolic links inside the sandbox. */
  readonly read: (path: string, options?: { readonly limitBytes?: number }) => Effect.Effect<Uint8Array, ReadError>
  /** As UTF-8; what is not becomes U+FFFD. */
  readonly readString: (path: string, options?: { readonly limitBytes?: number }) => Effect.Effect<string, ReadError>
  /** Replaces what is there; makes missing directories. Mode default 0o644, owned by the sandbox's uid. */
  readonly write: (
    path: string,
    content: Uint8Array | string,
    options?: { readonly mode?: number }
  ) => Effect.Effect<Transfer, WriteError>
  /** The entries of a directory, not of those below it. Costs a transfer of all that is below. */
  readonly list: (path?: string) => Effect.Effect<ReadonlyArray<FileEntry>, ReadError>
  /** Does not follow a symbolic link. */
  readonly stat: (path: string) => Effect.Effect<PathStat, FileNotFound | PathOutside | CallError | ObjectNotFound>
  readonly exists: (path: string) => Effect.Effect<boolean, PathOutside | CallError | ObjectNotFound>
  /** With all that is below; absent is success. Runs `rm` as the sandbox's user. */
  readonly remove: (path: string) => Effect.Effect<void, PathOutside | ExecError | CommandFailed>
  /** With missing parents; present is success. Mode default 0o755. */
  readonly mkdir: (path: string, options?: { readonly mode?: number }) => Effect.Effect<void, WriteError>
  /** Entries below `target` (made if missing); all are checked before anything is sent, and read back and compared. */
  readonly uploadTree: (
    entries: Iterable<TreeEntry>,
    target?: string
  ) => Effect.Effect<Transfer, WriteError | ReadError | ChecksumMismatch>
  /** At most `limitBytes` in all, default 256 MiB. */
  readonly downloadTree: (
    path?: string,
    options?: { readonly limitBytes?: number }
  ) => Effect.Effect<TreeDownload, ReadError | UnsafeEntry>
  /** Streamed from a file of this machine, read back and compared. */
  readonly uploadFile: (
    hostPath: string,
    path: string,
    options?: { readonly mode?: number }
  ) => Effect.Effect<Transfer, WriteError | ReadError | ChecksumMismatch | HostFileFailed>
  /** Streamed into a file of this machine, which appears only when it is complete. */
  readonly downloadFile: (path: string, hostPath: string) => Effect.Effect<Transfer, ReadError | HostFileFailed>
}
