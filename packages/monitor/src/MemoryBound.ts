/**
 * Whether the memory of containers stayed bounded between two snapshots: one call for a test's assertion, and the same as a verdict.
 * Judges each container as well as all together, so that one that shrank cannot hide another that grew; refuses one that was restarted.
 */
import { ExpectationFailed, Undecidable } from "@sbx/core/Expect"
import * as Verdict from "@sbx/core/Verdict"
import * as Effect from "effect/Effect"
import type { Snapshot, SnapshotDelta } from "./Snapshot.ts"
import { compare, isRestarted } from "./Snapshot.ts"

export interface MemoryBound {
  /** Growth of the working set (`memoryBytes`) that is too much; 1 MB is 1,000,000 bytes. Finite and above zero. */
  readonly megabytes: number
}

const what = "growth of the working set"

/**
 * Succeeds with the whole comparison when every container, and all together, grew by less than the bound. Fails with
 * `ExpectationFailed` naming each container's growth, or with `Undecidable` where something was not measured, or a container
 * was restarted in between and no growth is too much even so.
 */
export const expectMemoryBounded = Effect.fn("MemoryBound.expectMemoryBounded")(function* (
  before: Snapshot,
  after: Snapshot,
  bound: MemoryBound
): Effect.fn.Return<SnapshotDelta, ExpectationFailed | Undecidable> {
  const { megabytes } = bound
  if (!(Number.isFinite(megabytes) && megabytes > 0))
    return yield* new Undecidable({ what, detail: `${megabytes} MB is no bound: it is finite and above zero` })
  const delta = yield* Effect.mapError(
    compare(before, after),
    ({ missing }) => new Undecidable({ what, detail: missing.join("; ") })
  )
  const grown = growths(delta)
  if (grown.every(([, mb]) => mb < megabytes)) {
    // What had grown before a restart is in neither snapshot: a kill for want of memory must not look like little use.
    const detail = restarts(before, after, delta).map((name) => `${name} was restarted in between`)
    return detail.length === 0 ? delta : yield* new Undecidable({ what, detail: detail.join("; ") })
  }
  const [worst] = grown.toSorted(([, a], [, b]) => b - a)
  return yield* new ExpectationFailed({
    what: `${what} of ${worst?.[0]}`,
    expected: `below ${megabytes} MB`,
    actual: spell(worst?.[1] ?? Number.NaN),
    context: Object.fromEntries(grown.map(([name, mb]) => [name, spell(mb)]))
  })
})

/** The same as a verdict: what could not be judged is unknown, with the reason. */
export const memoryBounded = (before: Snapshot, after: Snapshot, bound: MemoryBound): Effect.Effect<Verdict.Verdict> =>
  expectMemoryBounded(before, after, bound).pipe(
    Effect.as(Verdict.pass),
    Effect.catchTags({
      ExpectationFailed: (error) => Effect.succeed(Verdict.fail(error.message)),
      Undecidable: (error) => Effect.succeed(Verdict.unknown(error.message))
    })
  )

const growths = ({ containers, memoryUsedMb }: SnapshotDelta): ReadonlyArray<readonly [string, number]> => [
  ["all containers together", memoryUsedMb],
  // `compare` has refused a container without the value.
  ...containers.map(({ name, values }) => [name, (values.memoryBytes ?? Number.NaN) / 1e6] as const)
]

/** By the source's word; where it has none, by a counter that fell. */
const restarts = (before: Snapshot, after: Snapshot, { containers }: SnapshotDelta): ReadonlyArray<string> =>
  containers.flatMap(({ absent, id, name }) => {
    const from = before.containers.find((sample) => sample.id === id)
    const to = after.containers.find((sample) => sample.id === id)
    if (from === undefined || to === undefined) return []
    const isKnown = from.incarnation !== undefined && from.source === to.source
    const isNew = isKnown ? isRestarted(from, to) : Object.values(absent).includes("counter-went-back")
    return isNew ? [name] : []
  })

const spell = (megabytes: number): string => `${Math.round(megabytes * 1000) / 1000} MB`
