/** A webhook's server on a free port of this machine's loopback: keeps the notices that it took, after a first refusal if wanted. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { AlertNotice } from "@sbx/monitor/AlertNotice"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

export interface LoopbackHook {
  readonly url: string
  /** What it took, in order. */
  readonly notices: Queue.Dequeue<AlertNotice>
  /** Requests that it refused. */
  readonly refused: Effect.Effect<number>
}

const Body = Schema.toCodecJson(AlertNotice)

/** Answers 503 to the first `refusals` requests, 204 to a notice, 400 to anything else; as long as the scope lives. */
export const listen = Effect.fnUntraced(function* (options: { readonly refusals: number }) {
  const notices = yield* Queue.unbounded<AlertNotice>()
  let refused = 0
  const answer = Effect.gen(function* () {
    if (refused < options.refusals) {
      refused++
      return HttpServerResponse.empty({ status: 503 })
    }
    yield* Queue.offer(notices, yield* HttpServerRequest.schemaBodyJson(Body))
    return HttpServerResponse.empty({ status: 204 })
  }).pipe(Effect.orElseSucceed(() => HttpServerResponse.empty({ status: 400 })))
  const server = yield* NodeHttpServer.make(createServer, { host: "127.0.0.1", port: 0 })
  yield* server.serve(answer)
  const hook: LoopbackHook = {
    url: `${HttpServer.formatAddress(server.address)}/alerts`,
    notices,
    refused: Effect.sync(() => refused)
  }
  return hook
})
