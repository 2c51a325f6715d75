/** Runs a waiting strategy against one sandbox; see `Wait.ts`. */
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { SandboxNotRunning } from "../Exec.ts"
import { describe, ExitedEarly, type Strategy, type WaitError, WaitTimeout, WaitUnsupported } from "../Wait.ts"
import { refresh, type SandboxContext } from "./execStart.ts"
import { readListeningPorts } from "./hostProcess.ts"
import { probe } from "./probeExec.ts"
import { awaitExit } from "./sandboxChanges.ts"

type EngineError = CallError | ObjectNotFound | EngineConflict | InvalidRequest
type ProbeError = EngineError | WaitUnsupported

/** What the last probes found, for the failure's text. */
type Notes = Map<string, string>

const pollEvery = "50 millis"
/** Output written just before the exit is still on its way when the exit is known. */
const settleDelay = "500 millis"

export const waitFor = Effect.fnUntraced(function* (
  context: SandboxContext,
  strategy: Strategy,
  timeout: Duration.Input
): Effect.fn.Return<void, WaitError> {
  const status = yield* refresh(context)
  if (status !== "running" && !(strategy._tag === "Exit" && status === "stopped")) {
    return yield* new SandboxNotRunning({ sandboxId: context.id, operation: "wait", state: status })
  }
  const notes: Notes = new Map()
  const label = describe(strategy)
  yield* run(context, strategy, notes).pipe(
    // A probe that meets the end of the sandbox is refused: the end itself says more.
    Effect.catchIf(metTheEnd, () => Effect.never),
    Effect.raceFirst(endsEarly(context, label)),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.flatMap(logTail(context), (tail) =>
          Effect.fail(
            new WaitTimeout({
              sandboxId: context.id,
              strategy: label,
              timeoutMillis: Duration.toMillis(timeout),
              lastSeen: [...notes].map(([name, seen]) => `${name}: ${seen}`).join("; ") || "nothing yet",
              logTail: tail
            })
          )
        )
    })
  )
})

const metTheEnd = (error: ProbeError): error is EngineConflict =>
  error._tag === "EngineConflict" && error.reason === "not-running"

const endsEarly = (context: SandboxContext, strategy: string) =>
  Effect.gen(function* () {
    const { exitCode, oomKilled } = yield* awaitExit(context)
    yield* Effect.sleep(settleDelay)
    const tail = yield* logTail(context)
    return yield* new ExitedEarly({ sandboxId: context.id, strategy, exitCode, oomKilled, logTail: tail })
  })

const logTail = (context: SandboxContext): Effect.Effect<string> =>
  context.engine.logs(context.containerId(), { follow: false, tail: 20 }).pipe(
    Stream.map((frame) => frame.bytes),
    Stream.decodeText(),
    Stream.mkString,
    Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.succeed("(log not readable in time)") }),
    Effect.catch((error) => Effect.succeed(`(log not readable: ${error.message})`)),
    Effect.map((text) => text.slice(-4000))
  )

const run = (context: SandboxContext, strategy: Strategy, notes: Notes): Effect.Effect<void, ProbeError> => {
  switch (strategy._tag) {
    case "Port":
      return polled(notes, describe(strategy), portOpen(context, strategy.port))
    case "Http":
      return polled(notes, describe(strategy), httpAnswers(context, strategy))
    case "Command":
      return polled(notes, describe(strategy), commandSucceeds(context, strategy))
    case "Healthy":
      return polled(notes, "healthy", isHealthy(context))
    case "Log":
      return logMatches(context, strategy.pattern, notes)
    case "Exit":
      return Effect.asVoid(context.engine.waitContainer(context.containerId()))
    case "All":
      return Effect.forEach(strategy.strategies, (each) => run(context, each, notes), {
        concurrency: "unbounded",
        discard: true
      })
    case "Any":
      return Effect.raceAll(strategy.strategies.map((each) => run(context, each, notes)))
  }
}

/** A probe answers `undefined` for "yes", else what it saw. */
const polled = <E>(notes: Notes, name: string, probe: Effect.Effect<string | undefined, E>): Effect.Effect<void, E> =>
  probe.pipe(
    Effect.tap((seen) => Effect.sync(() => void (seen !== undefined && notes.set(name, seen)))),
    Effect.repeat({ until: (seen) => seen === undefined, schedule: Schedule.spaced(pollEvery) }),
    Effect.asVoid
  )

/** Lines of /proc/net/tcp and tcp6 in state 0A (LISTEN), proc_net_tcp.rst; the port is hexadecimal. */
const listeningPorts = (text: string): ReadonlySet<number> => {
  const ports = new Set<number>()
  for (const line of text.split("\n")) {
    const [, local, , state] = line.trim().split(/\s+/)
    if (state === "0A" && local !== undefined) ports.add(Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16))
  }
  return ports
}

export const portOpen = Effect.fnUntraced(function* (
  context: SandboxContext,
  port: number
): Effect.fn.Return<string | undefined, ProbeError> {
  const { state } = yield* context.engine.inspectContainer(context.containerId())
  if (state.hostPid === undefined) return "not running"
  const fromHost = readListeningPorts(context.containerId(), state.hostPid)
  const text = fromHost ?? (yield* catInside(context))
  return listeningPorts(text).has(port) ? undefined : "nothing listens"
})

/** Elsewhere's engine: only the image can look. */
const catInside = Effect.fnUntraced(function* (context: SandboxContext): Effect.fn.Return<string, ProbeError> {
  const result = yield* probe(context, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
  if (!result.missing) return result.stdout
  const reason = "the engine is remote and the image has no cat"
  return yield* new WaitUnsupported({ sandboxId: context.id, strategy: "port", reason })
})

/** Prints the status; 127 when the image has no client. No wget: it prints no status, and the static one of Debian's busybox crashes when asked to. */
const httpScript = `url="http://127.0.0.1:$1$2"
if command -v curl >/dev/null; then exec curl -s -o /dev/null -m 5 -w '%{http_code}' "$url"; fi
if command -v python3 >/dev/null; then exec python3 -c 'import sys, urllib.request as u, urllib.error as e
try: print(u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=5).status)
except e.HTTPError as h: print(h.code)' "$url" 2>/dev/null; fi
command -v nc >/dev/null || exit 127
printf 'GET %s HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' "$2" | nc -w 5 127.0.0.1 "$1" | { read -r version status rest; echo "$status"; }`

export const httpAnswers = Effect.fnUntraced(function* (
  context: SandboxContext,
  { port, path, status }: Extract<Strategy, { readonly _tag: "Http" }>
): Effect.fn.Return<string | undefined, ProbeError> {
  const result = yield* probe(context, ["sh", "-c", httpScript, "sbx-http", String(port), path])
  if (result.missing || result.exitCode === 127) {
    const reason = "the image has no curl, python3 or nc"
    return yield* new WaitUnsupported({ sandboxId: context.id, strategy: "http", reason })
  }
  const seen = result.stdout.trim()
  return Number(seen) === status ? undefined : seen === "" || seen === "000" ? "no answer" : `status ${seen}`
})

const commandSucceeds = Effect.fnUntraced(function* (
  context: SandboxContext,
  { argv }: Extract<Strategy, { readonly _tag: "Command" }>
): Effect.fn.Return<string | undefined, ProbeError> {
  const result = yield* probe(context, argv)
  if (result.missing) {
    return yield* new WaitUnsupported({ sandboxId: context.id, strategy: "command", reason: `there is no ${argv[0]}` })
  }
  if (result.exitCode === 0) return undefined
  return result.exitCode === undefined ? "did not end within 10 s" : `exit code ${result.exitCode}`
})

const isHealthy = Effect.fnUntraced(function* (
  context: SandboxContext
): Effect.fn.Return<string | undefined, ProbeError> {
  const { state } = yield* context.engine.inspectContainer(context.containerId())
  if (state.health === "none") {
    const reason = "the container has no health check"
    return yield* new WaitUnsupported({ sandboxId: context.id, strategy: "healthy", reason })
  }
  return state.health === "healthy" ? undefined : state.health
})

/** Ends at the first match; a log that ends without one says so and lets the exit decide. */
const logMatches = (context: SandboxContext, pattern: RegExp, notes: Notes): Effect.Effect<void, ProbeError> => {
  // A global or sticky pattern would remember where it stopped.
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""))
  let line = ""
  notes.set("log", "no matching line")
  return context.engine.logs(context.containerId(), { follow: true }).pipe(
    Stream.map((frame) => frame.bytes),
    Stream.decodeText(),
    Stream.map((text) => {
      const lines = (line + text).split("\n")
      line = lines.at(-1)?.slice(-64 * 1024) ?? ""
      return lines.some((each) => stateless.test(each))
    }),
    Stream.takeUntil((matched) => matched),
    Stream.runLast,
    Effect.flatMap((last) => (last._tag === "Some" && last.value ? Effect.void : Effect.never))
  )
}
