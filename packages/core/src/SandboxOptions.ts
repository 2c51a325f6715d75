/**
 * What a user writes to get a sandbox, and its resolution to a complete {@link SandboxSpec}.
 * Refuses every bad value at once, each by field, value and expectation; nothing is clamped or silently corrected.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ByteSizeInput } from "./ByteSize.ts"
import type { CpuLimitInput } from "./CpuLimit.ts"
import { checks, type Issue } from "./internal/optionChecks.ts"
import type { Loosening, SandboxLimits, SandboxSpec, WorkspaceKind } from "./SandboxSpec.ts"

/** Every field is optional when the defaults name an image. */
export interface SandboxOptions {
  readonly image?: string
  /** PID 1's argv. Default: a process that idles and ends at once on SIGTERM. */
  readonly command?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Absolute path inside. Default: the workspace. */
  readonly workingDir?: string
  readonly hostname?: string
  readonly cpus?: CpuLimitInput
  readonly memory?: ByteSizeInput
  readonly pids?: number
  readonly disk?: ByteSizeInput
  /** Default: one per 16 KiB of disk, at least 4096. */
  readonly inodes?: number
  readonly openFiles?: number
  readonly shm?: ByteSizeInput
  readonly tmp?: ByteSizeInput
  readonly workspace?: WorkspaceKind | { readonly kind?: WorkspaceKind; readonly path?: string }
  /** `none` (default) or the name of a network. The host's network is a loosening, not a name. */
  readonly network?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly stopGrace?: Duration.Input
  readonly loosening?: Loosening
}

/** What options fall back on. */
export interface SandboxDefaults {
  readonly image?: string
  readonly limits: Omit<SandboxLimits, "diskInodes">
  readonly workspaceKind: WorkspaceKind
}

/** Defaults without an image: half a core, 256 MiB of memory, 128 processes, 64 MiB of disk. */
export const defaults: SandboxDefaults = {
  limits: {
    cpus: 0.5,
    memoryBytes: 256 * 1024 ** 2,
    pids: 128,
    diskBytes: 64 * 1024 ** 2,
    openFiles: 1024,
    shmBytes: 16 * 1024 ** 2,
    tmpBytes: 64 * 1024 ** 2
  },
  workspaceKind: "disk"
}

const workspacePath = "/workspace"
/** Below the engine's init, which forwards SIGTERM; `sleep` has no handler, so it ends at once. Works in busybox and coreutils. */
const idleCommand = ["sleep", "infinity"]
const defaultGraceMillis = 2000

/** The options do not describe a sandbox. All issues are listed. */
export class InvalidSandboxOptions extends Schema.TaggedError<InvalidSandboxOptions>()("InvalidSandboxOptions", {
  issues: Schema.Array(Schema.Struct({ field: Schema.String, value: Schema.String, expectation: Schema.String }))
}) {
  override get message() {
    const lines = this.issues.map((issue) => `${issue.field} is ${issue.value}, expected ${issue.expectation}`)
    return `Could not make a sandbox: ${lines.join("; ")}.\nCorrect the named options.`
  }
}

/** Fills in defaults and checks every field. Fails with `InvalidSandboxOptions`; has no other effect. */
export const resolve = Effect.fnUntraced(function* (
  options: SandboxOptions,
  fallback: SandboxDefaults = defaults
): Effect.fn.Return<SandboxSpec, InvalidSandboxOptions> {
  const issues: Array<Issue> = []
  const spec = assemble(options, fallback, checks(issues))
  if (issues.length > 0) return yield* new InvalidSandboxOptions({ issues })
  return spec
})

type Checks = ReturnType<typeof checks>

const assemble = (options: SandboxOptions, fallback: SandboxDefaults, check: Checks): SandboxSpec => {
  const workspace = workspaceOf(options, fallback, check)
  const limits = limitsOf(options, fallback, check)
  if (workspace.kind === "memory" && limits.diskBytes >= limits.memoryBytes) {
    check.refuse(
      "disk",
      limits.diskBytes,
      `less than memory (${limits.memoryBytes}): a memory workspace is charged to it`
    )
  }
  return {
    image: check.image(options.image ?? fallback.image),
    command: check.command(options.command ?? idleCommand),
    env: check.env(options.env ?? {}),
    workingDir: check.path("workingDir", options.workingDir ?? workspace.path),
    hostname: check.hostname(options.hostname ?? "sandbox"),
    limits,
    workspace,
    network: check.network(options.network ?? "none"),
    labels: check.labels(options.labels ?? {}),
    stopGraceMillis: check.grace(options.stopGrace ?? defaultGraceMillis),
    loosening: check.loosening(options.loosening ?? {})
  }
}

const workspaceOf = (options: SandboxOptions, fallback: SandboxDefaults, check: Checks): SandboxSpec["workspace"] => {
  const given = typeof options.workspace === "string" ? { kind: options.workspace } : (options.workspace ?? {})
  return {
    kind: check.workspaceKind(given.kind ?? fallback.workspaceKind),
    path: check.workspacePath("path" in given ? (given.path ?? workspacePath) : workspacePath)
  }
}

const KiB = 1024
const MiB = 1024 ** 2

/** The least that works: engines refuse less memory than 6 MiB, and ext4 needs room for its own tables. */
const limitsOf = (options: SandboxOptions, fallback: SandboxDefaults, check: Checks): SandboxLimits => {
  const base = fallback.limits
  const diskBytes = check.bytes("disk", options.disk ?? base.diskBytes, 4 * MiB)
  return {
    cpus: check.cpus(options.cpus ?? base.cpus),
    memoryBytes: check.bytes("memory", options.memory ?? base.memoryBytes, 6 * MiB),
    pids: check.count("pids", options.pids ?? base.pids, 4, 4_194_304),
    diskBytes,
    diskInodes: check.count("inodes", options.inodes ?? defaultInodes(diskBytes), 64, 2 ** 31),
    openFiles: check.count("openFiles", options.openFiles ?? base.openFiles, 16, 1_048_576),
    shmBytes: check.bytes("shm", options.shm ?? base.shmBytes, 64 * KiB),
    tmpBytes: check.bytes("tmp", options.tmp ?? base.tmpBytes, 64 * KiB)
  }
}

const defaultInodes = (diskBytes: number) => Math.max(4096, Math.floor(diskBytes / (16 * KiB)))
