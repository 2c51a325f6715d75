import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { FetchHttpClient } from "effect/http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as AlertDelivery from "../src/AlertDelivery.ts"
import { AlertNotice } from "../src/AlertNotice.ts"
import * as AlertWebhook from "../src/AlertWebhook.ts"
import { feed, firstNotices, world } from "./alertWorld.ts"

interface Request {
  readonly method: string | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** A server on the loopback that answers each request with the next status, the last one for ever. */
const server = (statuses: readonly [number, ...ReadonlyArray<number>]) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly requests: Array<Request>; readonly close: () => void }>(
      (resume) => {
        const requests: Array<Request> = []
        const http = createServer((request, response) => {
          let body = ""
          request.on("data", (chunk: Buffer) => (body += chunk.toString()))
          request.on("end", () => {
            requests.push({ method: request.method, headers: request.headers, body })
            const status = statuses[requests.length - 1] ?? statuses.at(-1) ?? 500
            response.writeHead(status, { location: "/elsewhere" })
            // 206 stands for a body that never ends.
            if (status === 206) response.write("…")
            else response.end()
          })
        })
        http.listen(0, "127.0.0.1", () => {
          const { port } = http.address() as AddressInfo
          const close = () => {
            http.closeAllConnections()
            http.close()
          }
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}/hook?key=secret`, requests, close }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.toCodecJson(AlertNotice)))

describe("a webhook", () => {
  it.live("posts every notice as JSON, again until a status of 2xx, with its id for de-duplication", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* server([500, 429, 204])
      const hook = yield* AlertWebhook.make({ name: "hook", url, headers: { authorization: "Bearer t" } })
      yield* AlertDelivery.start([hook], { firstPause: "1 millis" })
      const give = yield* feed()
      yield* give(85, 10)
      const [fired, resolved] = yield* firstNotices(2)
      yield* Effect.sleep("1 millis").pipe(Effect.repeat({ until: () => requests.length >= 4 }))
      assert.deepStrictEqual(
        requests.map(({ body }) => decode(body)),
        [fired, fired, fired, resolved]
      )
      const [first] = requests
      assert.strictEqual(first?.method, "POST")
      assert.strictEqual(first?.headers["content-type"], "application/json")
      assert.strictEqual(first?.headers["authorization"], "Bearer t")
      assert.strictEqual(first?.headers["x-sbx-notice"], fired?.id)
    }).pipe(Effect.scoped, Effect.provide([world(), FetchHttpClient.layer]))
  )

  it.live("fails for a status outside of 2xx and for a server that is not there, and tells no secret", () =>
    Effect.gen(function* () {
      const answering = yield* server([503])
      const refusing = yield* AlertWebhook.make({ name: "hook", url: answering.url })
      yield* Effect.flatMap(feed(), (give) => give(85))
      const [notice] = yield* firstNotices(1)
      assert.isDefined(notice)
      const refused = yield* Effect.flip(refusing.deliver(notice))
      answering.close()
      const silent = yield* Effect.flip(refusing.deliver(notice))
      for (const error of [refused, silent]) {
        assert.instanceOf(error, AlertWebhook.WebhookRefused)
        assert.match(String(error), /Could not deliver an alert to http:\/\/127\.0\.0\.1:/)
        assert.notInclude(String(error), "secret")
      }
      assert.include(String(refused), "status 503")
    }).pipe(Effect.scoped, Effect.provide([world(), FetchHttpClient.layer]))
  )

  it.live("takes a redirect for a refusal, and the head of an endless answer for an answer", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* server([302, 206])
      const hook = yield* AlertWebhook.make({ name: "hook", url })
      yield* Effect.flatMap(feed(), (give) => give(85))
      const [notice] = yield* firstNotices(1)
      assert.isDefined(notice)
      assert.include(String(yield* Effect.flip(hook.deliver(notice))), "status 302")
      yield* hook.deliver(notice)
      assert.strictEqual(requests.length, 2)
    }).pipe(Effect.scoped, Effect.provide([world(), FetchHttpClient.layer]))
  )

  // fetch sends nothing to an address with a user or a password, so no notice would ever be taken.
  it.effect.each(["", "hook", "ftp://host/x", "file:///etc/passwd", "http://u:secret@host/x", "http://u@host/x"])(
    "refuses the address %j",
    (url) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(AlertWebhook.make({ name: "hook", url }))
        assert.strictEqual(error._tag, "InvalidWebhook")
        assert.include(error.message, "Could not use the webhook hook")
        assert.notInclude(error.message, "secret")
      }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
