import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import { Effect, Stream } from "effect"
import type { FailureClass } from "../src/FailureClass.ts"
import * as HealthCheck from "../src/HealthCheck.ts"
import { oomKills } from "../src/internal/hostCgroup.ts"
import { type SandboxEvent, SandboxEvents } from "../src/SandboxEvent.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import type { Sandbox } from "../src/SandboxHandle.ts"
import { isReady, supervise, type Supervised, type Supervision } from "../src/Supervisor.ts"
import { eventually, processesWith } from "./support/hostView.ts"
import { sandboxesLayer } from "./support/sandboxesLayer.ts"

/** Waits for a state of the supervision. Times that are required are the engine's, not this one. */
const until = (supervised: Supervised, holds: (supervision: Supervision) => boolean) =>
  supervised.changes.pipe(Stream.filter(holds), Stream.runHead, Effect.timeout("30 seconds"))

const recovered = (supervised: Supervised, count: number) =>
  until(supervised, ({ status, recoveries }) => status === "watching" && recoveries.length === count)

/** From outside of the engine: it only sees its effect. */
const killMain = Effect.fnUntraced(function* (box: Sandbox, signal: NodeJS.Signals) {
  const { state } = yield* box.inspect
  process.kill(state.hostPid ?? 0, signal)
})

const eventsOf = Effect.fnUntraced(function* (box: Sandbox) {
  const journal = yield* Journal
  const events = yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(box.id)))
  return events.map(({ payload }) => payload)
})

const tagsOf = (box: Sandbox) => Effect.map(eventsOf(box), (events) => events.map(({ _tag }) => _tag))

const isWell = ({ health }: Supervision) => health["page"]?.status === "healthy"

type Classified = Extract<SandboxEvent, { readonly _tag: "FailureClassified" }>

const isClassified = (event: { readonly _tag: string }): event is Classified => event._tag === "FailureClassified"

const round = ["FailureClassified", "RecoveryDecided", "RecoveryAttempted", "StartIntended", "Started", "Recovered"]

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("supervisor", (it) => {
  it.effect("brings back a sandbox whose main process was killed, in under 10 s, with its workspace", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      yield* box.files.write("state.txt", "precious")
      const supervised = yield* supervise(box)
      yield* killMain(box, "SIGKILL")
      yield* recovered(supervised, 1)
      yield* engine.killContainer(box.containerId, "KILL")
      yield* recovered(supervised, 2)
      const { recoveries } = yield* supervised.current
      for (const recovery of recoveries) {
        assert.isAbove(recovery.downMillis, 0)
        assert.isBelow(recovery.downMillis, 10_000)
        assert.include(recovery.reason, "signal 9")
      }
      // The same exit code; only the engine's own kill was seen to be one.
      const witnessed = recoveries.map(({ failure }) => failure.kind === "signal" && failure.witnessed)
      assert.deepStrictEqual(witnessed, [false, true])
      const { state } = yield* box.inspect
      assert.strictEqual(state.startedAtMillis, recoveries.at(-1)?.recoveredAtMillis)
      assert.strictEqual(yield* box.state, "running")
      assert.strictEqual((yield* box.execOk(["cat", "state.txt"])).stdout, "precious")
      const told = new Set([...round, "Died"])
      const story = (yield* tagsOf(box)).filter((tag) => told.has(tag))
      assert.deepStrictEqual(story, ["StartIntended", "Started", "Died", ...round, "Died", ...round])
    })
  )

  it.effect("gives up when the budget is used, says so in an event, and has not forgotten it later", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", command: ["sh", "-c", "sleep 0.1; exit 3"] })
      const policy = { budget: 2, initialDelay: "10 millis" } as const
      const supervised = yield* supervise(box, policy)
      yield* until(supervised, ({ status }) => status === "given-up")
      const { decision, recoveries, failure } = yield* supervised.current
      assert.strictEqual(recoveries.length, 2)
      assert.include(decision?.reason, "2 restarts within")
      assert.deepStrictEqual(failure, { kind: "error", exitCode: 3 })
      assert.strictEqual((yield* tagsOf(box)).at(-1), "RecoveryDecided")
      assert.strictEqual(yield* box.state, "stopped")
      const later = yield* supervise(box, policy)
      yield* until(later, ({ status }) => status === "given-up")
      assert.deepStrictEqual((yield* later.current).recoveries, [])
    })
  )

  it.effect("leaves alone what was stopped, restarted or removed on purpose, and what ended cleanly", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      const supervised = yield* supervise(box)
      yield* box.restart()
      yield* box.stop()
      yield* box.restart()
      yield* box.pause
      yield* box.resume
      yield* box.kill
      assert.notInclude(yield* tagsOf(box), "FailureClassified")
      yield* box.remove
      yield* until(supervised, ({ status }) => status === "ended")
      assert.notInclude(yield* tagsOf(box), "FailureClassified")
      const done = yield* make({ disk: "4M", command: ["sh", "-c", "sleep 0.2"] })
      const other = yield* supervise(done)
      yield* until(other, ({ status }) => status === "given-up")
      assert.strictEqual((yield* other.current).failure?.kind, "completed")
    })
  )

  it.effect("recreates after an out-of-memory kill: same files, environment and limits, another container", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const command = [
        "sh",
        "-c",
        "[ -e tried ] && exec sleep 1000; touch tried; exec dd if=/dev/zero of=/dev/null bs=64M"
      ]
      const box = yield* make({ disk: "4M", memory: "32M", pids: 40, env: { GREETING: "hello" }, command })
      const { host } = yield* box.inspect
      const { containerId, name } = box
      const supervised = yield* supervise(box, { actions: { "out-of-memory": "recreate" } })
      yield* recovered(supervised, 1)
      const [recovery] = (yield* supervised.current).recoveries
      assert.deepInclude(recovery, { decision: "recreate", failure: { kind: "out-of-memory", victim: "main" } })
      assert.notStrictEqual(box.containerId, containerId)
      assert.notStrictEqual(box.name, name)
      const after = yield* box.inspect
      assert.strictEqual(after.name, box.name)
      assert.deepStrictEqual(after.host, host)
      const seen = yield* box.execOk(["sh", "-c", 'echo "$GREETING"; id -u; ls tried; touch more'])
      assert.strictEqual(seen.stdout, `hello\n${box.uid}\ntried\n`)
      const { listContainers } = yield* Engine
      const mine = yield* listContainers({ "sbx.stream": SandboxEvents.stream(box.id) })
      assert.deepStrictEqual(
        mine.map(({ id }) => id),
        [box.containerId]
      )
    })
  )

  it.effect("recreates what the engine has lost, with an empty workspace if the policy says so", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      yield* box.files.write("state.txt", "precious")
      const supervised = yield* supervise(box, { keepWorkspace: false })
      yield* engine.removeContainer(box.containerId)
      yield* recovered(supervised, 1)
      assert.strictEqual((yield* supervised.current).recoveries[0]?.failure.kind, "vanished")
      assert.strictEqual((yield* box.execOk(["ls"])).stdout, "")
      // As bounded as the first one.
      assert.notStrictEqual((yield* box.exec(["dd", "if=/dev/zero", "of=big", "bs=1M", "count=8"])).exitCode, 0)
    })
  )

  it.effect("does not recreate on a workspace that is gone", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      const supervised = yield* supervise(box, { budget: 1 })
      yield* engine.removeContainer(box.containerId)
      yield* engine.removeVolume(box.volume)
      yield* until(supervised, ({ status }) => status === "given-up")
      const failed = (yield* eventsOf(box)).find(({ _tag }) => _tag === "RecoveryFailed")
      assert.include(JSON.stringify(failed), `no volume ${box.volume}`)
      const classes = (yield* eventsOf(box)).filter(isClassified)
      assert.deepStrictEqual(
        classes.map(({ failure }) => failure),
        ["vanished", "start-failed"]
      )
      const volumes = yield* engine.listVolumes({})
      assert.notInclude(
        volumes.map(({ name }) => name),
        box.volume
      )
    })
  )

  it.effect("removes all of it when the policy says terminate", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", workspace: "memory", command: ["sh", "-c", "sleep 0.1; exit 3"] })
      const supervised = yield* supervise(box, { keepWorkspace: false, actions: { error: "terminate" } })
      yield* until(supervised, ({ status }) => status === "ended")
      assert.strictEqual((yield* tagsOf(box)).at(-1), "Removed")
      assert.deepStrictEqual(yield* engine.listContainers({ "sbx.stream": SandboxEvents.stream(box.id) }), [])
    })
  )

  it.effect("records OOM kills of other processes than the main one, and counts as the kernel does", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", memory: "32M" })
      yield* supervise(box)
      yield* box.exec(["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"])
      const tags = yield* eventually(tagsOf(box), (seen) => seen.includes("OomKilled"), "10 seconds")
      assert.strictEqual(tags.filter((tag) => tag === "OomKilled").length, 1)
      const { state } = yield* box.inspect
      assert.strictEqual(oomKills(box.containerId, state.hostPid ?? 0), 1)
      assert.strictEqual(yield* box.state, "running")
    })
  )

  it.effect("tells apart how main processes end, each for real", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const hog = "dd if=/dev/zero of=/dev/null bs=64M count=1"
      // What the sandbox is told to do and what that is; the codes of some resemble those of others.
      const table: ReadonlyArray<readonly [string, FailureClass]> = [
        ["exit 0", { kind: "completed" }],
        [`${hog}; exit 0`, { kind: "completed" }],
        ["exit 1", { kind: "error", exitCode: 1 }],
        ["exit 200", { kind: "error", exitCode: 200 }],
        ["exec no-such-program", { kind: "not-started", exitCode: 127 }],
        ["exec /etc", { kind: "not-started", exitCode: 126 }],
        ["kill -TERM $$", { kind: "signal", signal: 15, witnessed: false }],
        ["kill -KILL $$", { kind: "signal", signal: 9, witnessed: false }],
        [`exec ${hog}`, { kind: "out-of-memory", victim: "main" }],
        [`${hog}; exit 7`, { kind: "out-of-memory", victim: "child" }]
      ]
      const seen = yield* Effect.forEach(
        table,
        Effect.fnUntraced(function* ([script]) {
          const box = yield* make({
            disk: "4M",
            workspace: "memory",
            memory: "32M",
            command: ["sh", "-c", script]
          })
          const supervised = yield* supervise(box, { budget: 0, keepWorkspace: false })
          yield* until(supervised, ({ status }) => status === "given-up")
          const classified = (yield* eventsOf(box)).find(isClassified)
          const { failure } = yield* supervised.current
          assert.strictEqual(classified?.failure, failure?.kind)
          return [script, failure] as const
        }),
        { concurrency: 5 }
      )
      assert.deepStrictEqual(seen, [...table])
    })
  )

  it.effect("restarts a sandbox that is sick, and calls it ready only when its check does", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      // Well from its start on, until somebody takes the page away.
      const serve = "echo hello > index.html; exec httpd -f -p 127.0.0.1:8080 -h ."
      const box = yield* make({ disk: "4M", command: ["sh", "-c", serve] })
      const timing = { interval: "100 millis", failureThreshold: 2 } as const
      const checks = [
        HealthCheck.liveness("page", HealthCheck.http(8080, { path: "/index.html" }), timing),
        HealthCheck.readiness("listens", HealthCheck.port(8080), timing)
      ]
      const supervised = yield* supervise(box, { checks })
      assert.isFalse(isReady(yield* supervised.current))
      yield* until(supervised, (supervision) => isReady(supervision) && isWell(supervision))
      yield* box.execOk(["rm", "index.html"])
      yield* recovered(supervised, 1)
      yield* until(supervised, (supervision) => isReady(supervision) && isWell(supervision))
      const [recovery] = (yield* supervised.current).recoveries
      assert.deepStrictEqual(recovery?.failure, { kind: "unhealthy", check: "page", detail: "status 404" })
      assert.isBelow(recovery?.downMillis ?? Number.NaN, 10_000)
      const tags = yield* tagsOf(box)
      assert.isBelow(tags.indexOf("HealthChanged"), tags.indexOf("FailureClassified"))
      assert.isAbove(tags.lastIndexOf("HealthChanged"), tags.lastIndexOf("Recovered"))
    })
  )

  it.effect("counts a check that hangs as failed, and leaves nothing of it inside", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", workspace: "memory" })
      const hanging = HealthCheck.command(["sh", "-c", "trap '' TERM; sleep 98761 & wait"])
      const timing = { interval: "10 seconds", timeout: "300 millis", failureThreshold: 1, recover: false } as const
      const supervised = yield* supervise(box, {
        keepWorkspace: false,
        checks: [HealthCheck.liveness("hangs", hanging, timing)]
      })
      yield* until(supervised, ({ health }) => health["hangs"]?.status === "unhealthy")
      assert.include((yield* supervised.current).health["hangs"]?.detail, "no answer within 300ms")
      assert.deepStrictEqual(processesWith("98761"), [])
      assert.notInclude(yield* tagsOf(box), "FailureClassified")
    })
  )

  it.effect("recovers from a fork storm that uses up all processes", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const storm = "[ -e stormed ] && exec sleep 1000; touch stormed; (while :; do sleep 1000 & done); exec sleep 1000"
      const box = yield* make({ disk: "4M", pids: 16, command: ["sh", "-c", storm] })
      const timing = { interval: "100 millis", timeout: "5 seconds", failureThreshold: 2 } as const
      // One that needs no second process would be well: joining a full cgroup is allowed, only fork(2) is refused.
      const checks = [HealthCheck.liveness("forks", HealthCheck.command(["sh", "-c", "(exit 0) && exit"]), timing)]
      const supervised = yield* supervise(box, { checks, stopGrace: 0 })
      yield* recovered(supervised, 1)
      yield* until(supervised, ({ health }) => health["forks"]?.status === "healthy")
      const [recovery] = (yield* supervised.current).recoveries
      assert.strictEqual(recovery?.failure.kind, "unhealthy")
      assert.isBelow(recovery?.downMillis ?? Number.NaN, 10_000)
      assert.strictEqual((yield* box.exec(["sh", "-c", "(exit 0) && exit"])).exitCode, 0)
    })
  )

  it.effect("warns of resources by the sandbox's own limits", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      const check = HealthCheck.resources({}, { interval: "100 millis", failureThreshold: 1 })
      const supervised = yield* supervise(box, { checks: [check] })
      yield* until(supervised, ({ health }) => health["resources"]?.status === "healthy")
      yield* box.exec(["dd", "if=/dev/zero", "of=full", "bs=64k"])
      yield* until(supervised, ({ health }) => health["resources"]?.status === "unhealthy")
      assert.match((yield* supervised.current).health["resources"]?.detail ?? "", /disk (9[5-9]|100) %/)
      yield* box.execOk(["rm", "full"])
      yield* until(supervised, ({ health }) => health["resources"]?.status === "healthy")
      assert.match((yield* supervised.current).health["resources"]?.detail ?? "", /cpu \d+ %, memory \d+ %, disk \d+ %/)
    })
  )

  it.effect("refuses to promise a workspace that a restart empties, and what makes no sense", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M", workspace: "memory" })
      assert.strictEqual((yield* Effect.flip(supervise(box)))._tag, "SupervisionUnsupported")
      yield* supervise(box, { keepWorkspace: false })
      assert.strictEqual(
        (yield* Effect.flip(supervise({ ...box }, { keepWorkspace: false })))._tag,
        "SupervisionUnsupported"
      )
      const error = yield* Effect.flip(supervise(box, { jitter: 3, budget: -1 }))
      assert.strictEqual(error._tag, "InvalidSupervision")
      assert.include(error.message, "jitter is 3, expected 0 to 1; budget is -1")
    })
  )
})
