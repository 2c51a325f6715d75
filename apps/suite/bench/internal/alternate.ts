/**
 * Measures two sides in turns, ours first in even rounds and theirs in odd ones, so that drift of the machine falls on both.
 * Only `measure` is timed; what it made is removed outside of the time, before the next measurement begins.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"

/** Resolves when the measured work is done; what its scope releases is not in the time. */
export type Side<E, R> = (round: number) => Effect.Effect<unknown, E, R | Scope.Scope>

export interface Timed {
  readonly ours: ReadonlyArray<number>
  readonly theirs: ReadonlyArray<number>
}

/** Milliseconds that the side takes, without its clean-up, which an interrupt brings about too. */
export const time = <E, R>(side: Side<E, R>, round: number) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const start = yield* Clock.currentTimeNanos
      const exit = yield* Effect.exit(restore(Scope.provide(side(round), scope)))
      const end = yield* Clock.currentTimeNanos
      yield* Scope.close(scope, exit)
      if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
      return Number(end - start) / 1e6
    })
  )

export const alternate = Effect.fnUntraced(function* <E1, R1, E2, R2>(options: {
  readonly ours: Side<E1, R1>
  readonly theirs: Side<E2, R2>
  readonly rounds: number
  readonly warmUps: number
  /** Measurements of one side in a row, for what is used in a row: the first of them follows the other side's work. Default 1. */
  readonly inRow?: number
}) {
  const { rounds, warmUps, inRow = 1 } = options
  const ours: Array<number> = []
  const theirs: Array<number> = []
  const measureOurs = Effect.fnUntraced(function* (round: number) {
    const millis = yield* time(options.ours, round)
    if (round >= 0) ours.push(millis)
  })
  const measureTheirs = Effect.fnUntraced(function* (round: number) {
    const millis = yield* time(options.theirs, round)
    if (round >= 0) theirs.push(millis)
  })
  for (let round = -warmUps; round < rounds;) {
    const next = Math.min(rounds, round + inRow)
    const row = Array.from({ length: next - round }, (_, index) => round + index)
    const sides = [Effect.forEach(row, measureOurs), Effect.forEach(row, measureTheirs)]
    yield* Effect.all(Math.floor(round / inRow) % 2 === 0 ? sides : sides.toReversed(), { discard: true })
    round = next
  }
  return { ours, theirs } satisfies Timed
})
