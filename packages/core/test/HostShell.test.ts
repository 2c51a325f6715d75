import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as HostShell from "../src/internal/hostShell.ts"

const functions = `
say() { printf '%s' "$*"; }
refuse() { echo "no: $1" >&2; return 3; }
die() { kill -9 $$; }
whoami() { printf '%s' "$$"; }
swallow() { cat; }
`

const isAlive = (pid: number) => fs.existsSync(`/proc/${pid}`)

describe("a host shell", () => {
  it.live("answers calls in order, with exit code and output of its own", () =>
    Effect.gen(function* () {
      const shell = yield* HostShell.make(functions)
      const text = "two  words, 'quoted' \"twice\" \\ and $HOME – ünïcode"
      const said = yield* Effect.all(
        [shell.call("say", text), shell.call("refuse", "x"), shell.call("say"), shell.call("swallow")],
        {
          concurrency: "unbounded"
        }
      )
      assert.deepStrictEqual(said, [
        { code: 0, stdout: text, stderr: "" },
        { code: 3, stdout: "", stderr: "no: x" },
        { code: 0, stdout: "", stderr: "" },
        { code: 0, stdout: "", stderr: "" }
      ])
      const strange = yield* shell.call("absent")
      assert.strictEqual(strange.code, 127)
      assert.include(strange.stderr, "absent")
      assert.deepInclude(yield* shell.call("say", "a\nb"), { code: -1, stderr: "a name with a line break" })
    })
  )

  it.live("is one process, another one after it was killed, and none once its scope is closed", () =>
    Effect.gen(function* () {
      const pids = yield* Effect.scoped(
        Effect.gen(function* () {
          const shell = yield* HostShell.make(functions)
          const first = Number((yield* shell.call("whoami")).stdout)
          assert.strictEqual(Number((yield* shell.call("whoami")).stdout), first)
          assert.isTrue(isAlive(first))
          const [died, waited] = yield* Effect.all([shell.call("die"), shell.call("say", "unheard")], {
            concurrency: "unbounded"
          })
          assert.deepStrictEqual([died.code, waited.code], [-1, -1])
          assert.include(waited.stderr, "the shell ended (SIGKILL)")
          const second = Number((yield* shell.call("whoami")).stdout)
          assert.notStrictEqual(second, first)
          return [first, second]
        })
      )
      assert.deepStrictEqual(pids.map(isAlive), [false, false])
    })
  )
})
