/** Simulated processes: a program on a fiber of the world, signals with Linux's defaults, freezing, the end. */
import type { OutputFrame } from "@sbx/engine/Engine"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { SimBody, SimProcess } from "../../SimProgram.ts"
import { awaitChange, Feed } from "./feed.ts"
import { normal, resolve } from "./fileTree.ts"
import { filesOf } from "./processFiles.ts"
import { viewInside } from "./views.ts"
import type { Container, Process, World } from "./world.ts"

/** signal(7), x86-64. */
const numbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  WINCH: 28
}
const harmless = new Set(["CHLD", "CONT", "URG", "WINCH", "STOP", "TSTP", "TTIN", "TTOU"])

/** `SIGTERM`, `term` and `15` are one; undefined for what is no signal. */
export const signalName = (text: string): string | undefined => {
  const bare = text.toUpperCase().replace(/^SIG/, "")
  if (bare in numbers) return bare
  return Object.entries(numbers).find(([, number]) => String(number) === bare)?.[0]
}
export const signalNumber = (name: string) => numbers[name] ?? 0

export const end = (container: Container, process: Process, exitCode: number) => {
  if (process.exitCode !== undefined) return
  process.exitCode = exitCode
  container.processes.delete(process.hostPid)
  process.stdin.close()
  process.fiber?.interruptUnsafe()
  process.fiber = undefined
  process.onEnd(exitCode)
}

const deliver = (container: Container, process: Process, signal: string) => {
  if (signal === "KILL") return end(container, process, 137)
  const reaction = process.reactions.get(signal)
  if (reaction === "ignore") return
  if (reaction !== undefined) return end(container, process, reaction.exitCode)
  if (!process.first && !harmless.has(signal)) end(container, process, 128 + signalNumber(signal))
}

export const signal = (container: Container, process: Process, name: string) => {
  if (container.paused) process.held.push(name)
  else deliver(container, process, name)
}

/** Lets the frozen go on, with the signals that came meanwhile. */
export const thaw = (container: Container) => {
  container.paused = false
  for (const process of container.processes.values()) {
    for (const name of process.held.splice(0)) if (process.exitCode === undefined) deliver(container, process, name)
  }
  container.changed.wake()
}

/** Acts once the container is not paused, in the same step in which it was seen not to be. */
const whenThawed = <A>(container: Container, act: () => A): Effect.Effect<A> =>
  Effect.suspend(() =>
    container.paused
      ? Effect.andThen(
          awaitChange(() => !container.paused, container.changed),
          whenThawed(container, act)
        )
      : Effect.succeed(act())
  )

export interface Launch {
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  readonly user: { readonly uid: number; readonly gid: number }
  readonly first: boolean
  readonly parentPid: number
  readonly stdin: "none" | "attached"
  readonly onFrame: (frame: OutputFrame) => void
  readonly onEnd: (exitCode: number) => void
}

const bytesOf = (text: string | Uint8Array) => (typeof text === "string" ? new TextEncoder().encode(text) : text)

const seenByProgram = (world: World, container: Container, process: Process, launch: Launch): SimProcess => {
  let at = 0
  const print = (channel: OutputFrame["channel"]) => (text: string | Uint8Array) =>
    whenThawed(container, () => launch.onFrame({ channel, bytes: bytesOf(text) }))
  const hasInput = () => process.stdin.closed || process.stdin.items.length > at
  const read: Effect.Effect<Uint8Array | undefined> = Effect.suspend(() => {
    const bytes = process.stdin.items[at]
    if (bytes !== undefined) at += 1
    return bytes !== undefined || process.stdin.closed
      ? whenThawed(container, () => bytes)
      : Effect.andThen(awaitChange(hasInput, process.stdin), read)
  })
  return {
    argv: launch.argv,
    env: launch.env,
    workingDir: launch.workingDir,
    ...launch.user,
    hostPid: process.hostPid,
    files: filesOf(world, container, launch.user),
    out: print("stdout"),
    err: print("stderr"),
    read,
    sleep: (duration) =>
      Effect.andThen(
        Effect.sleep(duration),
        whenThawed(container, () => undefined)
      ),
    onSignal: (name, reaction) => void process.reactions.set(name, reaction),
    neighbours: () => [...container.processes.values()].map(({ hostPid, argv, env }) => ({ hostPid, argv, env })),
    signal: (hostPid, name) => {
      const target = container.processes.get(hostPid)
      if (target !== undefined) signal(container, target, name)
      return target !== undefined
    }
  }
}

export const launch = (world: World, container: Container, body: SimBody, how: Launch): Process => {
  world.lastPid += 1
  const process: Process = {
    hostPid: world.lastPid,
    parentPid: how.parentPid,
    argv: how.argv,
    env: how.env,
    reactions: new Map(),
    first: how.first,
    held: [],
    stdin: new Feed(),
    onEnd: how.onEnd,
    fiber: undefined,
    exitCode: undefined
  }
  if (how.stdin === "none") process.stdin.close()
  container.processes.set(process.hostPid, process)
  const finish = (exit: Exit.Exit<number>) => {
    process.fiber = undefined
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) world.defects.push(Cause.squash(exit.cause))
    end(container, process, Exit.isSuccess(exit) ? exit.value : 134)
  }
  const life = Effect.yieldNow.pipe(
    Effect.andThen(body(seenByProgram(world, container, process, how))),
    Effect.exit,
    Effect.flatMap((exit) => whenThawed(container, () => finish(exit)))
  )
  process.fiber = world.fork(life)
  return process
}

/** What answers to a command line; a folder can be named and not run. */
export const lookUp = (world: World, container: Container, argv: ReadonlyArray<string>) => {
  const program = world.settings.programs.find(({ answers }) => answers(argv))
  if (program !== undefined) return program.body
  const word = argv[0] ?? ""
  const there = word.startsWith("/") && resolve(viewInside(world, container), normal(word), true)?.node !== undefined
  return there ? ("not-executable" as const) : ("not-found" as const)
}

/** `uid[:gid]`, `root` and the empty string; the image's passwd is not read. */
export const userOf = (text: string) => {
  const [, uid = "0", gid = "0"] = /^(\d+)(?::(\d+))?$/.exec(text) ?? []
  return text === "" || text === "root" || /^\d+(:\d+)?$/.test(text)
    ? { uid: Number(uid), gid: Number(gid) }
    : undefined
}
