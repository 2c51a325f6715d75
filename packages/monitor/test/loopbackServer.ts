/** An HTTP server on a free port of this machine's loopback, and a client that asks it. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Layer from "effect/Layer"
import { FetchHttpClient, HttpServer } from "effect/http"
import { createServer } from "node:http"

export const loopbackServer = HttpServer.layerTestClient.pipe(
  Layer.provide(Layer.fresh(FetchHttpClient.layer)),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
)
