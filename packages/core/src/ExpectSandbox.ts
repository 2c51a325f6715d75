/**
 * Expectations about a sandbox seen from outside and inside. They take the few members they use, so any handle will do.
 * "Absent" needs proof: the engine's own not-found, or the kernel's ENOENT; any other error is passed on or undecidable.
 */
import type { ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import { ExpectationFailed, that, Undecidable } from "./Expect.ts"
import { type CgroupReading, parseReading, script } from "./internal/cgroupReading.ts"
import type { ExecOptions, ExecResult, SandboxState } from "./Sandbox.ts"
import type { SandboxLimits } from "./SandboxSpec.ts"

/** Whatever runs a command inside. */
export interface Executes<E> {
  readonly exec: (argv: ReadonlyArray<string>, options?: ExecOptions) => Effect.Effect<ExecResult, E>
}

/** The sandbox is there and in this state. */
export const exists = <E>(
  sandbox: { readonly id: string; readonly state: Effect.Effect<SandboxState, E> },
  expected: SandboxState = "running"
): Effect.Effect<void, E | ExpectationFailed> =>
  Effect.flatMap(sandbox.state, (actual) =>
    that(actual === expected, { what: `the state of ${sandbox.id}`, expected, actual })
  )

/** Looking at it fails with `ObjectNotFound`; any other error is passed on, for it proves nothing. */
export const doesNotExist = <A, E extends { readonly _tag: string }>(
  what: string,
  look: Effect.Effect<A, E | ObjectNotFound>
): Effect.Effect<void, Exclude<E, ObjectNotFound> | ExpectationFailed> =>
  look.pipe(
    Effect.flatMap(() => that(false, { what, expected: "absent", actual: "present" })),
    Effect.catchIf(
      (error): error is ObjectNotFound => error._tag === "ObjectNotFound",
      () => Effect.void
    )
  )

export interface FileFacts {
  /** Permission bits, e.g. 0o644. */
  readonly mode: number
  readonly sizeBytes: number
  /** As `stat` words it, e.g. `regular file`, `directory`. */
  readonly kind: string
}

/** What `stat` says inside, without following a link; nothing when the kernel says ENOENT. */
export const statInside = Effect.fnUntraced(function* <E>(
  sandbox: Executes<E>,
  path: string
): Effect.fn.Return<FileFacts | undefined, E | Undecidable> {
  const result = yield* sandbox.exec(["stat", "-c", "%a %s %F", "--", path], { env: { LC_ALL: "C" } })
  const [, mode, size, kind] = /^([0-7]{1,4}) (\d+) (.+)\n$/.exec(result.stdout) ?? []
  if (result.exitCode === 0 && mode !== undefined && kind !== undefined) {
    return { mode: Number.parseInt(mode, 8), sizeBytes: Number(size), kind }
  }
  if (result.exitCode === 1 && result.stderr.includes("No such file or directory")) return undefined
  return yield* new Undecidable({
    what: `the file ${path}`,
    detail: `stat ended with ${result.exitCode}: ${result.stderr}`
  })
})

export const fileExists = Effect.fnUntraced(function* <E>(
  sandbox: Executes<E>,
  path: string
): Effect.fn.Return<FileFacts, E | ExpectationFailed | Undecidable> {
  const facts = yield* statInside(sandbox, path)
  if (facts !== undefined) return facts
  return yield* new ExpectationFailed({ what: `the file ${path}`, expected: "present", actual: "absent", context: {} })
})

export const fileAbsent = <E>(
  sandbox: Executes<E>,
  path: string
): Effect.Effect<void, E | ExpectationFailed | Undecidable> =>
  Effect.flatMap(statInside(sandbox, path), (facts) =>
    that(facts === undefined, {
      what: `the file ${path}`,
      expected: "absent",
      actual: `a ${facts?.kind} of ${facts?.sizeBytes} bytes`
    })
  )

/** Permission bits, with set-id and sticky bits. */
export const fileMode = <E>(
  sandbox: Executes<E>,
  path: string,
  mode: number
): Effect.Effect<void, E | ExpectationFailed | Undecidable> =>
  Effect.flatMap(fileExists(sandbox, path), (facts) =>
    that(facts.mode === mode, { what: `the mode of ${path}`, expected: octal(mode), actual: octal(facts.mode) })
  )

const octal = (mode: number) => `0${mode.toString(8)}`

/** The whole content, as UTF-8; at most the exec's output limit. */
export const fileContent = Effect.fnUntraced(function* <E>(
  sandbox: Executes<E>,
  path: string,
  expected: string
): Effect.fn.Return<void, E | ExpectationFailed | Undecidable> {
  yield* fileExists(sandbox, path)
  const result = yield* sandbox.exec(["cat", "--", path])
  if (result.exitCode !== 0 || result.stdoutTruncated) {
    const detail = result.stdoutTruncated ? "it is larger than the output limit" : result.stderr
    return yield* new Undecidable({ what: `the content of ${path}`, detail })
  }
  const show = (text: string) =>
    text.length <= 500 ? `"${text}"` : `"${text.slice(0, 500)}…" (${text.length} characters)`
  yield* that(result.stdout === expected, {
    what: `the content of ${path}`,
    expected: show(expected),
    actual: show(result.stdout)
  })
})

/** SHA-256 in lower-case hex, computed inside. */
export const fileChecksum = Effect.fnUntraced(function* <E>(
  sandbox: Executes<E>,
  path: string,
  sha256: string
): Effect.fn.Return<void, E | ExpectationFailed | Undecidable> {
  yield* fileExists(sandbox, path)
  const result = yield* sandbox.exec(["sha256sum", "--", path])
  const [, actual] = /^\\?([0-9a-f]{64}) /.exec(result.stdout) ?? []
  if (result.exitCode !== 0 || actual === undefined) {
    return yield* new Undecidable({ what: `the checksum of ${path}`, detail: result.stderr })
  }
  yield* that(actual === sha256, { what: `the SHA-256 of ${path}`, expected: sha256, actual })
})

/** The limits and peaks that the kernel shows inside. */
export const readLimits = <E>(sandbox: Executes<E>): Effect.Effect<CgroupReading, E | Undecidable> =>
  Effect.flatMap(sandbox.exec(["sh", "-c", script]), (result) =>
    result.exitCode === 0
      ? Effect.succeed(parseReading(result.stdout))
      : new Undecidable({ what: "the limits inside", detail: `the cgroup is not readable: ${result.stderr}` })
  )

/**
 * Every limit of the spec is the kernel's limit, and no peak is above it. Undecidable when the kernel shows one of them not at
 * all. Resolves to what was read. The disk limit is the workspace's and is proved by writing past it.
 */
export const limitsRespected = Effect.fnUntraced(function* <E>(
  sandbox: Executes<E> & { readonly spec: { readonly limits: SandboxLimits } }
): Effect.fn.Return<CgroupReading, E | ExpectationFailed | Undecidable> {
  const { limits } = sandbox.spec
  const reading = yield* readLimits(sandbox)
  yield* limit("memory limit in bytes", reading.memoryLimitBytes, limits.memoryBytes, pageBytes)
  yield* limit("pids limit", reading.pidsLimit, limits.pids)
  yield* limit("open files limit", reading.openFiles, limits.openFiles)
  yield* limit("cpu limit in cores", reading.cpus, limits.cpus, coreRounding)
  if (reading.memoryPeakBytes === undefined) {
    return yield* new Undecidable({
      what: "the peak of memory",
      detail: "the kernel does not show it (before Linux 5.19)"
    })
  }
  yield* peak("memory in bytes", reading.memoryPeakBytes, limits.memoryBytes)
  if (reading.pidsPeak !== undefined) yield* peak("pids", reading.pidsPeak, limits.pids)
  return reading
})

/** The kernel counts memory in pages, engines write cpu quotas in microseconds of a 100 ms period. */
const pageBytes = 4096
const coreRounding = 0.000_01

const limit = (what: string, actual: number | undefined, expected: number, tolerance = 0) =>
  actual === undefined
    ? Effect.fail(new Undecidable({ what: `the ${what}`, detail: "the kernel does not show it inside" }))
    : that(Math.abs(actual - expected) <= tolerance, {
        what: `the ${what}`,
        expected: String(expected),
        actual: String(actual)
      })

const peak = (what: string, actual: number, limitValue: number) =>
  that(actual <= limitValue, { what: `the peak of ${what}`, expected: `at most ${limitValue}`, actual: String(actual) })
