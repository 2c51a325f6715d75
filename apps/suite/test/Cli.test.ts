import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { catalog } from "../src/Catalog.ts"
import { commandLine } from "./support/inProcess.ts"

const commands = ["run", "list", "doctor", "engine", "images", "events", "reap", "stats", "test"]

describe("the command line", () => {
  it.live("shows its version on standard output", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* commandLine(["--version"])
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
      assert.strictEqual(code, 0)
    })
  )

  it.live("has help for every command, on standard output", () =>
    Effect.gen(function* () {
      for (const command of commands) {
        const { code, stdout, stderr } = yield* commandLine([command, "--help"])
        assert.deepStrictEqual([code, stderr], [0, ""], command)
        assert.include(stdout, `sbx ${command}`)
      }
    })
  )

  it.live("without a command is a usage error that shows the help", () =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* commandLine([])
      assert.deepStrictEqual([code, stdout], [2, ""])
      for (const command of commands) assert.include(stderr, command)
    })
  )

  const refused: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["an unknown command, with the nearest", ["rnu"], /"rnu"[\s\S]*run/],
    ["an unknown subcommand", ["engine", "upp"], /"upp"[\s\S]*up/],
    ["an unknown flag, with the nearest", ["run", "--jsno"], /--jsno[\s\S]*--json/],
    ["an unknown scenario, with the nearest", ["run", "orchestration/lifecycel"], /Nearest: orchestration\/lifecycle/],
    ["an unknown tag, with the nearest", ["run", "smok"], /"smok"[\s\S]*smoke/],
    ["an unknown event type, with the nearest", ["events", "--type", "RunStartd"], /RunStartd[\s\S]*RunStarted/],
    ["an unknown run", ["events", "--run", "run_x"], /run_x/],
    ["an unknown image, with the nearest", ["images", "dockerfile", "tinny"], /"tinny"[\s\S]*tiny/],
    ["a missing argument", ["images", "dockerfile"], /name/],
    ["a bad number", ["run", "--max-concurrent", "many"], /--max-concurrent: it is "many", expected a whole number/],
    ["a bad duration", ["run", "--timeout", "soon"], /--timeout: it is "soon", expected a duration/],
    ["a bad interval", ["stats", "web", "--interval", "soon"], /--interval: it is "soon", expected a duration/],
    ["two formats at once", ["stats", "web", "--json", "--csv"], /JSON and CSV at once\.\nGive --json or --csv/],
    ["stats of nothing", ["stats"], /container/],
    ["a file that is not there", ["run", "./none.scenario.ts"], /none\.scenario\.ts: there is no such file/]
  ]
  for (const [what, args, said] of refused) {
    it.live(`refuses ${what}`, () =>
      Effect.gen(function* () {
        const { code, stdout, stderr } = yield* commandLine(args)
        assert.deepStrictEqual([code, stdout], [2, ""])
        assert.match(stderr, said)
        assert.notInclude(stderr, "    at ")
      })
    )
  }

  const variables = [
    ["INTEGRATION_TEST_TIMEOUT", "never"],
    ["MAX_CONCURRENT_SANDBOXES", "0"],
    ["SKIP_LONG_RUNNING_TESTS", "perhaps"],
    ["ENABLE_CHAOS_TESTING", "2"],
    ["INTEGRATION_LOG_LEVEL", "loud"],
    ["ENABLE_RESOURCE_MONITORING", "maybe"]
  ] as const
  for (const [name, value] of variables) {
    it.live(`refuses a bad ${name} with name, value and expectation, before anything else`, () =>
      Effect.gen(function* () {
        const { code, stdout, stderr } = yield* commandLine(["run", "no-such-scenario"], { [name]: value })
        assert.deepStrictEqual([code, stdout], [2, ""])
        assert.include(stderr, `Could not use ${name}: it is "${value}", expected `)
      })
    )
  }

  it.live("refuses a bad setting of the engine", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* commandLine(["engine", "status"], { SBX_ENGINE_IDLE_MINUTES: "soon" })
      assert.strictEqual(code, 2)
      assert.include(stderr, 'Could not use SBX_ENGINE_IDLE_MINUTES: it is "soon", expected a finite number')
      const negative = yield* commandLine(["engine", "status"], { SBX_ENGINE_IDLE_MINUTES: "-1" })
      assert.include(negative.stderr, 'it is "-1", expected minutes above 0')
    })
  )

  it.live("lets a flag win over a variable", () =>
    Effect.gen(function* () {
      const env = { MAX_CONCURRENT_SANDBOXES: "x" }
      const flag = yield* commandLine(["run", "smok", "--max-concurrent", "y"], env)
      assert.include(flag.stderr, '--max-concurrent: it is "y"')
      const good = yield* commandLine(["run", "smok", "--max-concurrent", "3"])
      assert.include(good.stderr, '"smok"')
    })
  )

  it.live("lists every scenario, as JSON too", () =>
    Effect.gen(function* () {
      const json = yield* commandLine(["list", "--json"])
      const Listed = Schema.fromJsonString(Schema.Array(Schema.Struct({ name: Schema.String })))
      const listed = yield* Schema.decodeEffect(Listed)(json.stdout)
      assert.deepStrictEqual(
        listed.map(({ name }) => name),
        catalog.map(({ name }) => name)
      )
      assert.strictEqual(json.stderr, "")
      const text = yield* commandLine(["list"])
      assert.lengthOf(text.stdout.trim().split("\n"), catalog.length)
    })
  )

  it.live("prints a recipe as a Dockerfile", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* commandLine(["images", "dockerfile", "tiny"])
      assert.match(stdout, /^# syntax=docker\/dockerfile:1\n# sbx\/tiny:/)
      assert.strictEqual(code, 0)
    })
  )

  it.live("refuses an explicit engine that does not answer, and takes no other", () =>
    Effect.gen(function* () {
      const env = { DOCKER_HOST: "unix:///nowhere/docker.sock" }
      for (const args of [
        ["doctor", "--json"],
        ["images", "build"],
        ["reap", "--json"]
      ]) {
        const { code, stdout, stderr } = yield* commandLine(args, env)
        assert.deepStrictEqual([code, stdout], [4, ""], args.join(" "))
        assert.include(stderr, "DOCKER_HOST unix:///nowhere/docker.sock")
      }
    })
  )

  it.live("answers for an explicit engine that does not run", () =>
    Effect.gen(function* () {
      const endpoint = "unix:///nowhere/docker.sock"
      const { code, stdout, stderr } = yield* commandLine(["engine", "status", "--json"], { DOCKER_HOST: endpoint })
      assert.deepStrictEqual(JSON.parse(stdout), { kind: "explicit", endpoint, running: false, version: null })
      assert.strictEqual(code, 0)
      assert.include(stderr, "no-socket")
      const context = yield* commandLine(["engine", "status", "--json"], { DOCKER_CONTEXT: "far", HOME: "/nowhere" })
      assert.deepStrictEqual(JSON.parse(context.stdout), {
        kind: "context",
        endpoint: "",
        running: false,
        version: null
      })
      assert.strictEqual(context.code, 0)
    })
  )

  it.live("refuses a DOCKER_HOST that cannot be one with name, value and expectation", () =>
    Effect.gen(function* () {
      for (const value of ["ftp://engine", "/var/run/docker.sock", "unix://", "tcp://"]) {
        for (const args of [["engine", "status", "--json"], ["doctor"], ["reap"], ["images", "build"]]) {
          const { code, stdout, stderr } = yield* commandLine(args, { DOCKER_HOST: value })
          assert.deepStrictEqual([code, stdout], [2, ""], `${args.join(" ")} ${value}`)
          assert.include(
            stderr,
            `Could not use DOCKER_HOST: it is "${value}", expected unix:///path or tcp://host:port`
          )
        }
      }
    })
  )
})
