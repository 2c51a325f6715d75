/**
 * Exit codes of execs as the engine's event stream tells them, which it does within a millisecond of the end of the output; asking
 * for one takes three times that. A hint: what is not heard in time is asked for. Listens from the first question on.
 */
import type { Engine, EngineEvent } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export interface ExecEnds {
  /** Of an exec whose output has ended; absent where the engine has not told it within 10 ms, or is not known to tell any. */
  readonly codeOf: (execId: string) => Effect.Effect<number | undefined>
}

/** Nothing is heard, everything is asked for. */
export const silent: ExecEnds = { codeOf: () => Effect.undefined }

const patienceMillis = 10
/** So many waits in vain, and the stream is not waited for until it tells an end again: it may be another engine's dialect. */
const mostMisses = 3
/** Ends that nobody has asked for yet, or never will: those of sessions and of processes. */
const mostKept = 1024

interface State {
  readonly kept: Map<string, number>
  readonly waiting: Map<string, (code: number) => void>
  isListening: boolean
  isTrusted: boolean
  misses: number
}

export const make = Effect.fnUntraced(function* (
  engine: Pick<Engine["Service"], "events">,
  labels: Readonly<Record<string, string>>
): Effect.fn.Return<ExecEnds, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const state: State = { kept: new Map(), waiting: new Map(), isListening: false, isTrusted: false, misses: 0 }
  const distrust = Effect.sync(() => void (state.isTrusted = false))
  const listening = Stream.runForEach(engine.events({ labels, actions: ["exec_die"] }), (event) =>
    Effect.sync(() => hear(state, event))
  ).pipe(
    Effect.ignore({ log: "Debug" }),
    // What is told while nobody listens is never heard.
    Effect.ensuring(distrust),
    Effect.repeat(Schedule.spaced("1 second"))
  )
  const listen = Effect.suspend(() => {
    if (state.isListening) return Effect.void
    state.isListening = true
    return Effect.forkIn(listening, scope)
  })
  return {
    codeOf: (execId) =>
      Effect.suspend(() => {
        const told = take(state, execId)
        if (told !== undefined) return Effect.succeed(told)
        return state.isTrusted ? wait(state, execId) : Effect.as(listen, undefined)
      })
  }
})

const take = ({ kept }: State, execId: string) => {
  const code = kept.get(execId)
  kept.delete(execId)
  return code
}

const hear = (state: State, { attributes }: EngineEvent) => {
  const execId = attributes["execID"]
  const code = Number(attributes["exitCode"] ?? "unknown")
  if (execId === undefined || !Number.isSafeInteger(code)) return
  state.isTrusted = true
  state.misses = 0
  const waiting = state.waiting.get(execId)
  if (waiting !== undefined) return waiting(code)
  state.kept.set(execId, code)
  const [oldest] = state.kept.keys()
  if (state.kept.size > mostKept && oldest !== undefined) state.kept.delete(oldest)
}

const wait = (state: State, execId: string) =>
  Effect.callback<number>((resume) => {
    state.waiting.set(execId, (code) => resume(Effect.succeed(code)))
  }).pipe(
    Effect.timeoutOrElse({
      duration: patienceMillis,
      orElse: () =>
        Effect.sync(() => {
          state.misses += 1
          if (state.misses >= mostMisses) state.isTrusted = false
        }).pipe(Effect.as(undefined))
    }),
    Effect.ensuring(Effect.sync(() => void state.waiting.delete(execId)))
  )
