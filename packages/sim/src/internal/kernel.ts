/**
 * The machine under a simulation: processes with ready tasks, timers, one virtual time. Each step runs one ready task drawn by the
 * seed; when none is ready, time jumps to the next timer. Refuses to run anything of a dead process.
 */
import type { Fiber } from "effect"
import type { Scheduler, SchedulerDispatcher } from "effect/Scheduler"
import { makePrng, type Prng } from "./prng.ts"
import { Timers } from "./timers.ts"
import { TraceHash } from "./traceHash.ts"

/** A process as the kernel sees it; number 0 is the world itself. */
export interface Lane {
  readonly number: number
  readonly name: string
  state: "running" | "frozen" | "dead"
  /** What became ready while it was frozen. */
  held: Array<Task>
  /** Run when it ends, however: what an operating system does for a process that cannot do it any more. */
  readonly atDeath: Set<() => void>
}

interface Task {
  readonly lane: Lane
  readonly dispatcher: SchedulerDispatcher | undefined
  readonly run: () => void
}

/** Operations that a fiber may run before it must let others, drawn for each step: mostly Effect's own, sometimes very few. */
const usualBudget = 2048
const smallBudgets = [2, 3, 4, 8, 16, 32]

export class Kernel {
  readonly seed: number
  readonly trace = new TraceHash()
  readonly world: Lane
  nowMillis = 0
  steps = 0
  readonly #choices: Prng
  readonly #ready: Array<Task> = []
  readonly #timers = new Timers()
  #order = 0
  #lanes = 0
  #budget = usualBudget

  constructor(seed: number) {
    this.seed = seed
    this.#choices = makePrng(seed, "scheduler")
    this.world = this.makeLane("world")
  }

  makeLane(name: string): Lane {
    return { number: this.#lanes++, name, state: "running", held: [], atDeath: new Set() }
  }

  /** Makes a task ready; dropped when the process is dead. */
  post(lane: Lane, run: () => void, dispatcher?: SchedulerDispatcher): void {
    if (lane.state === "dead") return
    const queue = lane.state === "frozen" ? lane.held : this.#ready
    queue.push({ lane, run, dispatcher })
  }

  /** Posts `run` in `millis`; the answer cancels it. */
  after(lane: Lane, millis: number, run: () => void): () => void {
    let isCancelled = false
    this.#timers.add({
      atMillis: this.nowMillis + Math.max(0, millis),
      order: this.#order++,
      isLive: () => !isCancelled && lane.state !== "dead",
      fire: () => this.post(lane, () => (isCancelled ? undefined : run()))
    })
    return () => {
      isCancelled = true
    }
  }

  /** Ends a process at once: no finalizer, no timer, no task of it runs again. */
  end(lane: Lane): void {
    if (lane.state === "dead") return
    lane.state = "dead"
    lane.held = []
    const kept = this.#ready.filter((task) => task.lane !== lane)
    this.#ready.splice(0, this.#ready.length, ...kept)
    this.trace.text(`end ${lane.name}`)
    for (const release of lane.atDeath) release()
    lane.atDeath.clear()
  }

  /** SIGSTOP. */
  freeze(lane: Lane): void {
    if (lane.state !== "running") return
    lane.state = "frozen"
    lane.held = this.#ready.filter((task) => task.lane === lane)
    const kept = this.#ready.filter((task) => task.lane !== lane)
    this.#ready.splice(0, this.#ready.length, ...kept)
  }

  /** SIGCONT. */
  thaw(lane: Lane): void {
    if (lane.state !== "frozen") return
    lane.state = "running"
    this.#ready.push(...lane.held)
    lane.held = []
  }

  /** Runs one task, after a jump in time if none is ready. False when nothing can ever happen again. */
  step(): boolean {
    if (this.#ready.length === 0 && !this.#jump()) return false
    const count = this.#ready.length
    // Frozen processes' timers may have come up: time went on, and nothing is ready.
    if (count === 0) return true
    const index = count === 1 ? 0 : this.#choices.below(count)
    this.trace.number(count * 4096 + index)
    this.#budget = this.#choices.next() < 0.75 ? usualBudget : this.#drawSmall()
    this.#run(index)
    return true
  }

  #drawSmall(): number {
    return smallBudgets[this.#choices.below(smallBudgets.length)] ?? usualBudget
  }

  #run(index: number): void {
    const task = this.#ready[index]
    const last = this.#ready.pop()
    if (task === undefined || last === undefined) return
    if (index < this.#ready.length) this.#ready[index] = last
    this.steps++
    this.trace.number(task.lane.number)
    task.run()
  }

  #jump(): boolean {
    const next = this.#timers.next()
    if (next === undefined) return false
    this.nowMillis = Math.max(this.nowMillis, next)
    this.trace.number(this.nowMillis)
    for (const timer of this.#timers.due(this.nowMillis)) timer.fire()
    return true
  }

  /** Effect's scheduler for the fibers of one process. */
  schedulerOf(lane: Lane): Scheduler {
    return {
      executionMode: "async",
      // A dead process's fiber that is still on the stack, because it died from within, ends here.
      shouldYield: (fiber: Fiber.Fiber<unknown, unknown>) =>
        lane.state === "dead" || fiber.currentOpCount >= this.#budget,
      makeDispatcher: () => {
        const dispatcher: SchedulerDispatcher = {
          scheduleTask: (task) => this.post(lane, task, dispatcher),
          flush: () => this.#flush(dispatcher)
        }
        return dispatcher
      }
    }
  }

  /** All ready tasks of a dispatcher at once, which is what a caller without an event loop asks for. */
  #flush(dispatcher: SchedulerDispatcher): void {
    for (;;) {
      const index = this.#ready.findIndex((task) => task.dispatcher === dispatcher)
      if (index === -1) return
      this.#run(index)
    }
  }
}
