/** Output of PID 1. Multiplexed unless the container has a terminal, which only inspect tells for sure below API 1.42. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { OutputFrame } from "../../Engine.ts"
import type { CallError, ObjectNotFound } from "../../EngineError.ts"
import * as OutputDemuxer from "../../OutputDemuxer.ts"
import type { Connection } from "./connection.ts"
import { inspectRaw } from "./containers.ts"
import { failure, notFound } from "./errors.ts"
import { sinceSeconds } from "./events.ts"
import { bodyOf, defaultTimeoutMillis, open } from "./request.ts"

const operation = "read logs of container"

export const logs = (
  connection: Connection,
  id: string,
  options: { readonly follow: boolean; readonly tail?: number; readonly sinceMillis?: number }
): Stream.Stream<OutputFrame, CallError | ObjectNotFound> =>
  Effect.gen(function* () {
    const { Config } = yield* inspectRaw(connection, id)
    const reply = yield* open(connection, {
      operation,
      method: "GET",
      path: ["containers", id, "logs"],
      query: {
        follow: options.follow,
        stdout: true,
        stderr: true,
        tail: options.tail ?? "all",
        since: sinceSeconds(options.sinceMillis)
      },
      // A follower of a silent container may get its head with the first byte (podman#23712).
      timeoutMillis: options.follow ? "none" : defaultTimeoutMillis
    })
    return bodyOf(connection, operation, reply, options.follow ? "live" : "flow").pipe(
      OutputDemuxer.demux({ operation, mode: Config.Tty === true ? "raw" : "frames" })
    )
  }).pipe(
    Effect.catchTag("Refusal", (refusal) => Effect.fail(notFound(refusal, "container", id) ?? failure(refusal))),
    Stream.unwrap
  )
