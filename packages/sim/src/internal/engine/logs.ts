/** Output of PID 1 over all its runs. A tail counts lines, over both channels in the order they came. */
import type { OutputFrame } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Connection } from "./feed.ts"
import { awaitChange } from "./feed.ts"
import { isRunning } from "./lookup.ts"
import type { Container, LoggedFrame, World } from "./world.ts"
import { connectionLost } from "./world.ts"

export interface LogOptions {
  readonly follow: boolean
  readonly tail?: number
  readonly sinceMillis?: number
}

const newline = 10

/** One frame a line, as log drivers keep them. */
const lines = (frames: ReadonlyArray<LoggedFrame>): ReadonlyArray<LoggedFrame> =>
  frames.flatMap((frame) => {
    const parts: Array<LoggedFrame> = []
    for (let at = 0; at < frame.bytes.length;) {
      const end = frame.bytes.indexOf(newline, at)
      const next = end < 0 ? frame.bytes.length : end + 1
      parts.push({ ...frame, bytes: frame.bytes.subarray(at, next) })
      at = next
    }
    return parts
  })

const toFrame = ({ channel, bytes }: LoggedFrame): OutputFrame => ({ channel, bytes })

const since = (frames: ReadonlyArray<LoggedFrame>, millis: number | undefined) =>
  millis === undefined ? frames : frames.filter(({ atMillis }) => atMillis >= millis)

/** A follower is let go when the container does not run any more. */
export const read = (
  world: World,
  found: Container,
  connection: Connection,
  options: LogOptions
): Stream.Stream<OutputFrame, CallError> =>
  Stream.fromPull(
    Effect.sync(() => {
      let at = 0
      let begun = false
      const isThere = () => connection.cut || found.logs.items.length > at || !isRunning(found)
      const past = () => {
        const kept = since(lines(found.logs.items), options.sinceMillis)
        return options.tail === undefined ? kept : kept.slice(Math.max(0, kept.length - options.tail))
      }
      const pull: Effect.Effect<readonly [OutputFrame, ...Array<OutputFrame>], CallError | Cause.Done> = Effect.suspend(
        () => {
          const lost = () => connectionLost(world, "read logs of container", "simulated: the connection was cut")
          if (connection.cut) return Effect.fail(lost())
          const frames = begun ? found.logs.items.slice(at) : past()
          at = found.logs.items.length
          begun = true
          const [first, ...rest] = frames.map(toFrame)
          if (first !== undefined) return Effect.succeed([first, ...rest] as const)
          if (!options.follow || !isRunning(found)) return Cause.done()
          return Effect.andThen(awaitChange(isThere, found.logs, found.changed, connection), pull)
        }
      )
      return pull
    })
  )
