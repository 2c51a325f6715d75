import { assert, layer } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { Sandboxes } from "../src/Sandboxes.ts"
import * as Wait from "../src/Wait.ts"
import { sandboxesLayer, baseImage } from "./support/sandboxesLayer.ts"

const sh = (script: string) => ["sh", "-c", script]

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("waiting for a sandbox", (it) => {
  it.effect("sees a port, an HTTP answer and a log line, and not before they are there", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const server =
        "import http.server as h; print('serving', flush=True); h.HTTPServer(('127.0.0.1', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
      const box = yield* make({ image: yield* baseImage, command: sh(`sleep 0.5; exec python3 -c "${server}"`) })
      const began = yield* Clock.currentTimeMillis
      yield* box.wait(Wait.all(Wait.port(8080), Wait.log(/^serving$/), Wait.http(8080), Wait.command(["true"])))
      assert.isAbove((yield* Clock.currentTimeMillis) - box.startedAtMillis, 450)
      assert.isBelow((yield* Clock.currentTimeMillis) - began, 15_000)
      yield* box.wait(Wait.http(8080, { path: "/no-such-file", status: 404 }))
      yield* box.wait(Wait.any(Wait.port(1), Wait.port(8080)))
    })
  )

  it.effect("speaks HTTP with what a small image has", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ command: sh("echo hello > index.html; exec httpd -f -p 127.0.0.1:8080 -h .") })
      yield* box.wait(Wait.http(8080, { path: "/index.html" }))
      const missing = yield* Effect.flip(box.wait(Wait.http(8080, { path: "/nothing" }), { timeout: "3 seconds" }))
      assert.strictEqual(missing._tag, "WaitTimeout")
      if (missing._tag === "WaitTimeout") assert.include(missing.lastSeen, "status 404")
    })
  )

  it.effect("ends at its deadline with what was seen last and the end of the log", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ command: sh("echo only this; sleep 1000") })
      const began = yield* Clock.currentTimeMillis
      const error = yield* Effect.flip(box.wait(Wait.port(81), { timeout: "700 millis" }))
      const took = (yield* Clock.currentTimeMillis) - began
      assert.strictEqual(error._tag, "WaitTimeout")
      if (error._tag !== "WaitTimeout") return
      assert.include(error.lastSeen, "nothing listens")
      assert.include(error.logTail, "only this")
      assert.isAtLeast(took, 700)
      assert.isBelow(took, 15_000)
    })
  )

  it.effect("ends early when the sandbox does, with code, cause and log", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ command: sh("echo about to fail; sleep 0.4; exit 3") })
      const error = yield* Effect.flip(box.wait(Wait.port(80), { timeout: "20 seconds" }))
      assert.strictEqual(error._tag, "ExitedEarly")
      if (error._tag !== "ExitedEarly") return
      assert.deepInclude(error, { exitCode: 3, oomKilled: false })
      assert.include(error.logTail, "about to fail")
      // An engine learns of an out-of-memory kill and of an end by two ways; on a busy machine, the end of the victim itself may come first.
      const dd = "sleep 0.4; dd if=/dev/zero of=/dev/null bs=64M; code=$?; sleep 0.5; exit $code"
      const hungry = yield* make({ memory: "32M", command: sh(dd) })
      const oom = yield* Effect.flip(hungry.wait(Wait.port(80), { timeout: "20 seconds" }))
      assert.strictEqual(oom._tag === "ExitedEarly" && oom.oomKilled, true)
    })
  )

  it.effect("waits for an exit, and for a line printed just before it", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ command: sh("sleep 0.3; echo last words") })
      yield* box.wait(Wait.log("last words"))
      yield* box.wait(Wait.exit)
    })
  )

  it.effect("says at once what can never hold", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make()
      const health = yield* Effect.flip(box.wait(Wait.healthy))
      assert.strictEqual(health._tag, "WaitUnsupported")
      const command = yield* Effect.flip(box.wait(Wait.command(["no-such-program"])))
      assert.strictEqual(command._tag, "WaitUnsupported")
      yield* box.pause
      const paused = yield* Effect.flip(box.wait(Wait.port(80)))
      assert.strictEqual(paused._tag, "SandboxNotRunning")
    })
  )
})
