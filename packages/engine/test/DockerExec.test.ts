/** Exec over a hijacked connection: half-close, back-pressure, interruption, and codes that are never invented. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Stream } from "effect"
import { awaitExecExit } from "../src/ExecExit.ts"
import type { Exchange, Routes } from "./support/FakeDocker.ts"
import { frame, until, upgradeHead, withFake } from "./support/FakeDocker.ts"

const created = { "POST /containers/c/exec": ({ json }: Exchange) => json(201, { Id: "e" }) }
const exec = (start: (exchange: Exchange) => void): Routes => ({ ...created, "UPGRADE /exec/e/start": start })
const decode = (parts: Iterable<{ readonly channel: string; readonly bytes: Uint8Array }>) =>
  [...parts].map(({ channel, bytes }) => `${channel}:${Buffer.from(bytes).toString()}`)

/** A dropped connection refuses the next write; a half-closed one takes it. */
const dropped = ({ socket }: Exchange) => {
  socket.write(upgradeHead)
  socket.on("end", () => socket.write("x"))
  socket.resume()
}

describe("Docker: exec", () => {
  // Without a hijack dockerode's end() destroys the socket and what the process has still to say.
  it.effect("half-closes standard input and reads on to the end", () =>
    withFake(
      exec(({ socket }) => {
        socket.write(upgradeHead)
        let input = ""
        socket.on("data", (bytes) => (input += bytes.toString()))
        socket.on("end", () => socket.end(Buffer.concat([frame(1, `got ${input}`), frame(2, "done")])))
      }),
      (engine, fake) =>
        Effect.gen(function* () {
          const connection = yield* engine.exec("c", {
            argv: ["cat"],
            stdin: true,
            env: { TOKEN: "s3cr3t" },
            workingDir: "/w",
            user: "7",
            privileged: false
          })
          yield* connection.writeStdin(Buffer.from("a"))
          yield* connection.writeStdin(Buffer.from("b"))
          yield* connection.endStdin
          const parts = yield* Stream.runCollect(connection.output)
          assert.deepStrictEqual(decode(parts), ["stdout:got ab", "stderr:done"])
          assert.strictEqual(fake.requests[0]?.url, "/v1.41/containers/c/exec")
          assert.deepStrictEqual(JSON.parse(fake.requests[0]?.body ?? ""), {
            AttachStdin: true,
            AttachStdout: true,
            AttachStderr: true,
            Tty: false,
            Cmd: ["cat"],
            Env: ["TOKEN=s3cr3t"],
            WorkingDir: "/w",
            User: "7",
            Privileged: false
          })
        }).pipe(Effect.scoped)
    )
  )

  it.effect("keeps bytes that came in one packet with the head", () =>
    withFake(
      exec(({ socket }) => void socket.end(Buffer.concat([Buffer.from(upgradeHead), frame(1, "early")]))),
      (engine) =>
        Effect.gen(function* () {
          const connection = yield* engine.exec("c", { argv: ["a"] })
          assert.deepStrictEqual(decode(yield* Stream.runCollect(connection.output)), ["stdout:early"])
        }).pipe(Effect.scoped)
    )
  )

  it.effect("reads output also where a proxy does not upgrade, but refuses to lose standard input there", () =>
    withFake(
      exec(({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
        socket.end(frame(1, "plain"))
      }),
      (engine) =>
        Effect.gen(function* () {
          const connection = yield* engine.exec("c", { argv: ["a"] })
          assert.deepStrictEqual(decode(yield* Stream.runCollect(connection.output)), ["stdout:plain"])
          assert.strictEqual((yield* Effect.flip(connection.writeStdin(Buffer.from("x"))))._tag, "EngineProtocolError")
          assert.strictEqual((yield* Effect.flip(connection.endStdin))._tag, "EngineProtocolError")
          const error = yield* Effect.flip(engine.exec("c", { argv: ["a"], stdin: true }))
          assert.include(error.message, "no upgrade")
        }).pipe(Effect.scoped)
    )
  )

  it.effect("fails when the engine goes in the middle of a frame", () =>
    withFake(
      exec(
        ({ socket }) =>
          void socket.end(
            Buffer.concat([Buffer.from(upgradeHead), frame(1, "whole"), frame(1, "half").subarray(0, 10)])
          )
      ),
      (engine) =>
        Effect.gen(function* () {
          const connection = yield* engine.exec("c", { argv: ["a"] })
          assert.strictEqual((yield* Effect.flip(Stream.runDrain(connection.output)))._tag, "EngineProtocolError")
        }).pipe(Effect.scoped)
    )
  )

  it.effect("says connection-lost when standard input has nowhere to go", () =>
    withFake(
      exec(({ socket }) => void socket.write(upgradeHead, () => socket.destroy())),
      (engine, fake) =>
        Effect.gen(function* () {
          const connection = yield* engine.exec("c", { argv: ["a"], stdin: true })
          yield* until("the engine has closed it", () => fake.openConnections() <= 1)
          const write = connection.writeStdin(Buffer.alloc(1024 * 1024))
          const error = yield* Effect.flip(Effect.andThen(write, Effect.forever(write)))
          assert.deepInclude(error, { _tag: "EngineUnavailable", reason: "connection-lost" })
        }).pipe(Effect.scoped)
    )
  )

  // The request's abort signal does nothing once the connection was upgraded.
  it.effect("drops the connection when its scope closes, and when its reader is interrupted", () =>
    withFake(exec(dropped), (engine, fake) =>
      Effect.gen(function* () {
        const connected = yield* Latch.make()
        const run = yield* Effect.forkChild(
          Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* engine.exec("c", { argv: ["a"], stdin: true })
              yield* connected.open
              yield* Stream.runDrain(connection.output)
            })
          )
        )
        yield* connected.await
        const closed = fake.closedConnections()
        yield* Fiber.interrupt(run)
        yield* until("the connection is closed", () => fake.closedConnections() > closed)
        yield* Effect.scoped(engine.exec("c", { argv: ["a"] }))
        yield* until("the other is closed", () => fake.closedConnections() > closed + 1)
      })
    )
  )

  it.effect("fails a reader that outlives the connection's scope, instead of waiting for ever", () =>
    withFake(exec(dropped), (engine) =>
      Effect.gen(function* () {
        const { output } = yield* Effect.scoped(engine.exec("c", { argv: ["a"] }))
        const error = yield* Effect.flip(Stream.runDrain(output))
        assert.deepInclude(error, { _tag: "EngineUnavailable", reason: "connection-lost" })
      })
    )
  )

  it.effect("stops the engine from sending while the reader is busy", () => {
    const total = 64 * 1024 * 1024
    const piece = frame(1, Buffer.alloc(64 * 1024 - 8))
    let sent = 0
    const routes = exec(({ socket }) => {
      socket.write(upgradeHead)
      const more = () => {
        while (sent < total) {
          sent += piece.length
          if (!socket.write(piece)) return
        }
        socket.end()
      }
      socket.on("drain", more)
      more()
    })
    return withFake(routes, (engine) =>
      Effect.gen(function* () {
        const go = yield* Latch.make()
        const connection = yield* engine.exec("c", { argv: ["yes"] })
        let read = 0
        const reader = yield* Effect.forkChild(
          Stream.runForEach(connection.output, ({ bytes }) => {
            read += bytes.length
            return go.await
          })
        )
        let before = -1
        let calm = 0
        // Quiet for 20 looks in a row: nothing moves any more.
        yield* until("the sender is held back", () => {
          calm = sent === before && read > 0 ? calm + 1 : 0
          before = sent
          return calm === 20
        })
        assert.isBelow(sent, 8 * 1024 * 1024)
        yield* go.open
        yield* Fiber.join(reader)
        assert.strictEqual(read, (total / piece.length) * (piece.length - 8))
      }).pipe(Effect.scoped)
    )
  })

  it.effect("tells a stopped container, a second start and a bad command apart", () =>
    Effect.gen(function* () {
      const refusal = (status: number, message: string) =>
        withFake(
          exec(({ socket }) => {
            const body = JSON.stringify({ message })
            socket.end(
              `HTTP/1.1 ${status} No\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
            )
          }),
          (engine) => Effect.flip(Effect.scoped(engine.exec("c", { argv: ["a"] })))
        )
      assert.deepInclude(yield* refusal(409, "Container c is not running"), {
        _tag: "EngineConflict",
        reason: "not-running"
      })
      assert.deepInclude(yield* refusal(409, "Error: Exec command e has already run"), {
        reason: "exec-already-started"
      })
      assert.deepInclude(yield* refusal(404, "No such exec instance: e"), { _tag: "ObjectNotFound", kind: "exec" })
      const text =
        'OCI runtime exec failed: unable to start container process: exec: "a": executable file not found in $PATH'
      assert.deepInclude(yield* refusal(400, text), { _tag: "InvalidRequest", reason: "command-not-found" })
      assert.deepInclude(yield* refusal(500, "boom"), { _tag: "EngineFailure" })
    })
  )
})

describe("Docker: the exit of an exec", () => {
  const states = (...replies: ReadonlyArray<object>): Routes => {
    let asked = 0
    return { "GET /exec/e/json": ({ json }) => json(200, replies[Math.min(asked++, replies.length - 1)]) }
  }

  it.effect("is unknown while it runs, before it starts, and when Podman says 0 for that", () =>
    Effect.gen(function* () {
      const replies = [
        { Running: true, ExitCode: null, Pid: 9 },
        { Running: true, ExitCode: 0, Pid: 9 },
        { Running: false, ExitCode: null, Pid: 0 },
        { Running: false, ExitCode: null, Pid: 9 },
        { Running: false, ExitCode: 0, Pid: 0 },
        { Running: false }
      ]
      for (const reply of replies) {
        const state = yield* withFake(states(reply), (engine) => engine.inspectExec("e"))
        assert.isUndefined(state.exitCode)
      }
      const ended = yield* withFake(states({ Running: false, ExitCode: 0, Pid: 9, ContainerID: "c" }), (engine) =>
        engine.inspectExec("e")
      )
      assert.deepStrictEqual(ended, { running: false, exitCode: 0, hostPid: 9, containerId: "c" })
      const unstartable = yield* withFake(states({ Running: false, ExitCode: 126, Pid: 0 }), (engine) =>
        engine.inspectExec("e")
      )
      assert.strictEqual(unstartable.exitCode, 126)
    })
  )

  it.live("is awaited past the end of the output", () =>
    withFake(
      states(
        { Running: true, ExitCode: null, Pid: 9 },
        { Running: true, ExitCode: null, Pid: 9 },
        { Running: false, ExitCode: 7, Pid: 9 }
      ),
      (engine, fake) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* awaitExecExit(engine, "e", "10 seconds"), { exitCode: 7 })
          assert.strictEqual(fake.requests.length, 3)
        })
    )
  )

  it.live("is an error, not a zero, when the deadline passes", () =>
    withFake(states({ Running: true, ExitCode: null, Pid: 9, ContainerID: "c" }), (engine) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(awaitExecExit(engine, "e", "30 millis"))
        assert.deepInclude(error, { _tag: "ExecExitUnknown", running: true, containerId: "c" })
        assert.include(error.message, "still running")
      })
    )
  )

  it.effect("is not found once the engine has forgotten the exec", () =>
    withFake({ "GET /exec/e/json": ({ json }) => json(404, { message: "No such exec instance: e" }) }, (engine) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(awaitExecExit(engine, "e", "1 seconds")))._tag, "ObjectNotFound")
      })
    )
  )
})
