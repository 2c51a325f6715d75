/**
 * One call from a client to the daemon and back. The daemon's part runs on a fiber of the world: a client that is interrupted, times
 * out or is killed stops waiting and nothing else. This is where calls meet their faults.
 */
import type { CallError } from "@sbx/engine/EngineError"
import { EngineFailure, EngineTimeout, EngineUnavailable } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { between } from "./faults.ts"
import { restart } from "./restart.ts"
import type { Client, InFlight, Job, World } from "./world.ts"
import { connectionLost, pause } from "./world.ts"

export interface Request<A, E> {
  readonly operation: string
  readonly timeoutMillis?: number | "none"
  readonly handle: (job: Job) => Effect.Effect<A, E>
}

const workTime = (world: World, client: Client, { operation, timeoutMillis }: Request<unknown, unknown>) => {
  let millis = between(world.draw, world.settings.workMillis(operation))
  millis += world.faults.fires("slow", operation)?.millis ?? 0
  const patience = timeoutMillis ?? client.timeoutMillis
  // One without a limit to its patience is never late.
  if (patience === "none") return millis
  const late = world.faults.fires("late-effect", operation)
  return late === undefined
    ? millis
    : millis + (late.millis ?? patience + between(world.draw, [1, Math.max(1, patience)]))
}

/** Faults of the work are drawn when it is done: a call that is refused before meets none of them. */
const work = (world: World, client: Client, request: Request<unknown, unknown>) =>
  Effect.suspend(() => {
    const millis = workTime(world, client, request)
    const dies = world.faults.fires("engine-restart", request.operation)
    if (dies === undefined) return pause(millis)
    // In the middle of the work: what it had done so far stays.
    world.fork(Effect.andThen(pause(Math.floor(millis / 2)), restart(world, dies.millis ?? 0)))
    return pause(millis)
  })

const wireTime = (world: World, operation: string) =>
  between(world.draw, world.settings.wireMillis) + (world.faults.fires("latency", operation)?.millis ?? 0)

/** What keeps a request from being read at all. */
const refusal = (world: World, operation: string): CallError | undefined => {
  if (world.faults.fires("transport-failure", operation) !== undefined) {
    return connectionLost(world, operation, "simulated: the connection broke before the request was read")
  }
  if (world.faults.fires("refusal", operation) !== undefined) {
    return new EngineFailure({ operation, status: 500, detail: "simulated: the engine refuses" })
  }
  return undefined
}

const serve = <A, E>(world: World, client: Client, request: Request<A, E>): Effect.Effect<A, E | CallError> =>
  Effect.gen(function* () {
    const { operation } = request
    yield* Effect.yieldNow
    yield* pause(wireTime(world, operation))
    const refused = refusal(world, operation)
    if (refused !== undefined) return yield* refused
    const exit = yield* Effect.exit(request.handle({ operation, work: work(world, client, request) }))
    if (world.faults.fires("lost-reply", operation) !== undefined) {
      return yield* connectionLost(world, operation, "simulated: the connection broke before the answer")
    }
    yield* pause(wireTime(world, operation))
    return yield* exit
  })

const unreachable = (world: World, operation: string) =>
  new EngineUnavailable({
    operation,
    endpoint: world.settings.endpoint.address,
    reason: "refused",
    detail: "simulated: nothing listens"
  })

const submit = <A, E>(
  world: World,
  client: Client,
  request: Request<A, E>,
  reply: (exit: Exit.Exit<A, E | CallError>) => void
) => {
  const { operation } = request
  if (world.down || !client.connected) return reply(Exit.fail(unreachable(world, operation)))
  let answered = false
  const answer = (exit: Exit.Exit<A, E | CallError>) => {
    if (answered) return
    answered = true
    world.inFlight.delete(entry)
    reply(exit)
  }
  let fiber: Fiber.Fiber<unknown, unknown> | undefined
  const entry: InFlight = {
    operation,
    abort: () => {
      answer(Exit.fail(connectionLost(world, operation, "simulated: the engine went away during the call")))
      fiber?.interruptUnsafe()
    }
  }
  world.inFlight.add(entry)
  fiber = world.fork(Effect.map(Effect.exit(serve(world, client, request)), answer))
}

/** Waits for the daemon's answer as long as the client has patience. */
export const call = <A, E>(world: World, client: Client, request: Request<A, E>): Effect.Effect<A, E | CallError> => {
  const answered = Effect.withFiber<A, E | CallError>((fiber) =>
    Effect.callback<A, E | CallError>((resume) => {
      // Through the client's own dispatcher: the daemon never runs a client's code.
      submit(world, client, request, (exit) => fiber.currentDispatcher.scheduleTask(() => resume(exit), 0))
    })
  )
  const timeoutMillis = request.timeoutMillis ?? client.timeoutMillis
  if (timeoutMillis === "none") return answered
  return Effect.timeoutOrElse(answered, {
    duration: timeoutMillis,
    orElse: () => Effect.fail(new EngineTimeout({ operation: request.operation, timeoutMillis }))
  })
}

/** Runs on a fiber of the world; the caller is told through its own dispatcher. */
export const inWorld = <A>(world: World, effect: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.withFiber((fiber) =>
    Effect.callback<A>((resume) => {
      const tell = (value: A) => fiber.currentDispatcher.scheduleTask(() => resume(Effect.succeed(value)), 0)
      world.fork(Effect.map(effect, tell))
    })
  )
