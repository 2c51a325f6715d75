/** The world service over a kernel. */
import { Context, Effect, Exit, Fiber, Option } from "effect"
import { type Process, World } from "../World.ts"
import type { Kernel, Lane } from "./kernel.ts"
import { makePrng } from "./prng.ts"
import { contextOf, CurrentLane, type Log } from "./runtime.ts"

export interface Machine {
  readonly world: World["Service"]
  /** Context of the world's own fibers. */
  readonly context: Context.Context<World>
}

export const makeWorld = (kernel: Kernel, log: Log | undefined): Machine => {
  const ownContext = contextOf(kernel, kernel.world, log)
  const world: World["Service"] = {
    seed: kernel.seed,
    spawn: (name, program) => Effect.sync(() => spawn(kernel, world, log, name, program)),
    call: (request) => callWorld(kernel, ownContext, request),
    fork: (daemon) =>
      Effect.contextWith((context) =>
        Effect.sync(() => {
          const run = Effect.runForkWith(Context.merge(context, ownContext))
          kernel.post(kernel.world, () => void run(daemon))
        })
      ),
    atDeath: (release) =>
      Effect.flatMap(CurrentLane, (lane) => Effect.sync(() => void (lane ?? kernel.world).atDeath.add(release))),
    random: (name) => makePrng(kernel.seed, name),
    elapsedMillis: () => kernel.nowMillis,
    trace: (fact) => kernel.trace.text(fact)
  }
  return { world, context: Context.add(ownContext, World, world) }
}

const spawn = <A, E>(
  kernel: Kernel,
  world: World["Service"],
  log: Log | undefined,
  name: string,
  program: Effect.Effect<A, E, World>
): Process<A, E> => {
  const lane = kernel.makeLane(name)
  const context = Context.add(contextOf(kernel, lane, log), World, world)
  const waiters = new Set<(end: Option.Option<Exit.Exit<A, E>>) => void>()
  let end: Option.Option<Exit.Exit<A, E>> = Option.none()
  lane.atDeath.add(() => {
    for (const tell of waiters) kernel.post(kernel.world, () => tell(end))
  })
  kernel.post(lane, () => {
    const fiber = Effect.runForkWith(context)(program)
    fiber.addObserver((exit) => {
      if (lane.state === "dead") return
      end = Option.some(exit)
      kernel.end(lane)
    })
  })
  return {
    name,
    isAlive: () => lane.state !== "dead",
    kill: Effect.sync(() => kernel.end(lane)),
    freeze: Effect.sync(() => kernel.freeze(lane)),
    thaw: Effect.sync(() => kernel.thaw(lane)),
    await: Effect.callback((resume) => {
      const tell = (found: Option.Option<Exit.Exit<A, E>>) => resume(Effect.succeed(found))
      if (lane.state === "dead") tell(end)
      else waiters.add(tell)
      return Effect.sync(() => void waiters.delete(tell))
    })
  }
}

/** The request runs on a fiber of the world; its answer comes back as a task of the caller's process. */
const callWorld = <A, E, R>(
  kernel: Kernel,
  ownContext: Context.Context<never>,
  request: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(CurrentLane, (lane) => {
    if (lane === undefined || lane === kernel.world) return request
    return Effect.contextWith((context: Context.Context<R>) =>
      Effect.callback<A, E>((resume) => ask(kernel, lane, Context.merge(context, ownContext), request, resume))
    )
  })

const ask = <A, E, R>(
  kernel: Kernel,
  lane: Lane,
  context: Context.Context<R>,
  request: Effect.Effect<A, E, R>,
  resume: (answer: Effect.Effect<A, E>) => void
): Effect.Effect<void> => {
  let fiber: Fiber.Fiber<A, E> | undefined
  let isCut = false
  const cut = () => {
    isCut = true
    lane.atDeath.delete(cut)
    // Later, as a server learns of it: the caller goes on at once.
    kernel.post(kernel.world, () => fiber?.interruptUnsafe())
  }
  lane.atDeath.add(cut)
  kernel.post(kernel.world, () => {
    if (isCut) return
    fiber = Effect.runForkWith(context)(request)
    fiber.addObserver((exit) => {
      lane.atDeath.delete(cut)
      if (!isCut) kernel.post(lane, () => resume(exit))
    })
  })
  return Effect.sync(cut)
}
