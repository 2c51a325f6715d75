// @effect-diagnostics processEnv:off -- drives the program as its user does: as a process with an environment
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import * as Docker from "@sbx/engine/Docker"
import { Engine } from "@sbx/engine/Engine"
import { SampleJson } from "@sbx/monitor/SampleExport"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { directory, run, start } from "./support/commandLine.ts"
import { address, env } from "./support/realEngine.ts"

const decode = Schema.decodeSync(Schema.fromJsonString(SampleJson))
const searchPath = process.env["PATH"] ?? ""
const image = process.env["SBX_TEST_IMAGE_TINY"] ?? ""

/** A container that an ordinary user runs: none of ours, without our labels. Removed with the scope. */
const container = Effect.fnUntraced(function* (name: string) {
  const engine = yield* Engine
  const unique = `stats-test-${name}-${(yield* Random.nextIntBetween(0, 36 ** 6)).toString(36)}`
  const spec: ContainerSpec = {
    name: unique,
    image,
    command: ["sleep", "600"],
    host: { networkMode: "none", memoryBytes: 64e6 }
  }
  const id = yield* Effect.acquireRelease(engine.createContainer(spec), (id) =>
    Effect.orDie(engine.removeContainer(id))
  )
  yield* engine.startContainer(id)
  return { id, name: unique }
})

const live = <A, E>(title: string, program: () => Effect.Effect<A, E, Engine | Scope.Scope>) =>
  it.live(title, () => program().pipe(Effect.scoped, Effect.provide(Docker.layer({ kind: "explicit", address }))))

const stats = (...args: ReadonlyArray<string>) =>
  Effect.promise(() => run(["stats", ...args], { cwd: directory(), env: env() }))

/** Killed with the scope where a test fails before it ended. */
const watching = (args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => start(args, { cwd: directory(), env: env() })),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Resolves once standard output has matched; rejects when the process ends before. */
const prints = (child: ChildProcess, ended: Promise<unknown>) => {
  let text = ""
  const look = new Set<() => void>()
  child.stdout?.on("data", (chunk: string | Uint8Array) => {
    text += String(chunk)
    for (const one of look) one()
  })
  const until = (holds: (text: string) => boolean) =>
    Effect.promise(
      () =>
        new Promise<string>((resolve, reject) => {
          const one = () => holds(text) && resolve(text)
          look.add(one)
          one()
          void ended.then(() => reject(new Error(`it ended with:\n${text}`)))
        })
    )
  return { until, text: () => text }
}

const linesOf = (text: string, name: string) => text.split("\n").filter((line) => line.includes(` ${name}: `))

describe("stats", () => {
  live("samples any container once, by name or by the beginning of its id, in every format", () =>
    Effect.gen(function* () {
      const web = yield* container("web")
      const [text, json, csv] = yield* Effect.all(
        [
          stats(web.name, "--interval", "200ms"),
          stats(web.id.slice(0, 16), web.name, "--json", "--interval", "200ms"),
          stats(web.id, "--csv", "--interval", "200ms")
        ],
        { concurrency: "unbounded" }
      )
      for (const one of [text, json, csv]) assert.deepStrictEqual([one.code, one.stderr], [0, ""])
      assert.match(text.stdout, new RegExp(`^\\S+Z ${web.name}: cpu cores 0\\.\\d\\d.*, memory .* of 64.0 MB`))
      const sample = decode(json.stdout)
      assert.deepStrictEqual([sample.id, sample.name], [web.id, web.name])
      assert.isDefined(sample.values["cpuCores"])
      assert.match(csv.stdout, new RegExp(`^subject,id,name,.*\r\ncontainer,${web.id},${web.name},.*\r\n$`))
    })
  )

  live("refuses an unknown container with the nearest name, and says that one does not run", () =>
    Effect.gen(function* () {
      const [web, other] = yield* Effect.all([container("near"), container("beside")])
      const unknown = yield* stats(`${web.name}x`)
      assert.deepStrictEqual([unknown.code, unknown.stdout], [2, ""])
      assert.include(unknown.stderr, `Could not find the container "${web.name}x"`)
      assert.include(unknown.stderr, web.name)
      yield* (yield* Engine).killContainer(web.id, "KILL")
      const [stopped, beside] = yield* Effect.all([stats(web.name), stats(web.name, other.name, "--json")], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual([stopped.code, stopped.stdout], [3, ""])
      assert.include(stopped.stderr, "is not running")
      assert.deepStrictEqual([beside.code, decode(beside.stdout).id], [3, other.id])
      assert.include(beside.stderr, `${web.name} (${web.id.slice(0, 12)}): Could not sample`)
    })
  )
})

describe("stats --watch", () => {
  live("watches several, says which stopped and which went, and goes on with the others until interrupted", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const [a, b, c] = yield* Effect.all([container("a"), container("b"), container("c")])
      const before = yield* engine.listContainers({})
      const args = ["stats", a.name, b.name, c.name, "--watch", "--interval", "100ms"]
      const started = yield* watching(args)
      const out = prints(started.child, started.ended)
      yield* out.until((text) => [a, b, c].every(({ name }) => linesOf(text, name).length > 1))
      yield* engine.killContainer(b.id, "KILL")
      yield* Effect.promise(() => started.says(`${b.name} (${b.id.slice(0, 12)}): not running`))
      yield* engine.removeContainer(c.id)
      yield* Effect.promise(() => started.says(`${c.name} (${c.id.slice(0, 12)}): removed`))
      const seen = linesOf(out.text(), a.name).length
      yield* out.until((text) => linesOf(text, a.name).length > seen + 1)
      yield* engine.startContainer(b.id)
      const stopped = linesOf(out.text(), b.name).length
      yield* out.until((text) => linesOf(text, b.name).length > stopped)
      started.child.kill("SIGINT")
      const ended = yield* Effect.promise(() => started.ended)
      assert.strictEqual(ended.code, 130)
      assert.notInclude(ended.stdout, "\u001b")
      const after = yield* engine.listContainers({})
      const ids = (list: typeof after) => list.filter(({ name }) => name.startsWith("stats-test-")).map(({ id }) => id)
      assert.deepStrictEqual(
        ids(after).filter((id) => !ids(before).includes(id)),
        []
      )
    })
  )

  live("ends by itself when every container is gone", () =>
    Effect.gen(function* () {
      const web = yield* container("last")
      const started = yield* watching(["stats", web.name, "--watch", "--interval", "100ms"])
      yield* prints(started.child, started.ended).until((text) => linesOf(text, web.name).length > 1)
      yield* (yield* Engine).removeContainer(web.id)
      const ended = yield* Effect.promise(() => started.ended)
      assert.strictEqual(ended.code, 0)
      assert.include(ended.stderr, "removed")
    })
  )
})

describe("stats --watch on a terminal", () => {
  live("draws, and gives it back at Ctrl-C", () =>
    Effect.gen(function* () {
      const web = yield* container("tty")
      const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
      const command = `stty cols 90 rows 20; exec ${process.execPath} --conditions=@sbx/source ${main} stats ${web.name} --watch --interval 100ms`
      // script(1) of util-linux runs it on a terminal of its own; Ctrl-C is a byte to that terminal.
      const child = spawn("script", ["-qec", command, "/dev/null"], {
        env: { PATH: searchPath, TERM: "xterm", HOME: directory(), NO_COLOR: "1", ...env() }
      })
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
      yield* Effect.addFinalizer(() => Effect.sync(() => child.kill()))
      const out = prints(child, ended)
      yield* out.until((text) => text.split("\u001b[?2026l").length > 4)
      child.stdin.write("\u0003")
      assert.strictEqual(yield* Effect.promise(() => ended), 130)
      const text = out.text()
      assert.isTrue(text.trimStart().startsWith("\u001b[?1049h\u001b[?25l"), JSON.stringify(text.slice(0, 80)))
      assert.include(text, `${web.name}  ${web.id.slice(0, 12)}`)
      assert.match(text, /memory {2,}[▁▂▃▄▅▆▇█]+ /)
      assert.deepStrictEqual(
        ["\u001b[2J", "\u001b[1m", "\u001b[32m", "\u001b[0m"].filter((sequence) => text.includes(sequence)),
        []
      )
      assert.isAbove(text.lastIndexOf("\u001b[?25h\u001b[?1049l"), text.lastIndexOf("\u001b[?2026h"))
    })
  )
})
