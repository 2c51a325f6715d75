/** Reads the docker client's context store: `config.json` names one, `contexts/meta/<sha256 of the name>/meta.json` has its host. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"

const ClientConfig = Schema.fromJsonString(Schema.Struct({ currentContext: Schema.optional(Schema.String) }))
const ContextMeta = Schema.fromJsonString(
  Schema.Struct({ Endpoints: Schema.Struct({ docker: Schema.Struct({ Host: Schema.String }) }) })
)
const decodeConfig = Schema.decodeUnknownEffect(ClientConfig)
const decodeMeta = Schema.decodeUnknownEffect(ContextMeta)

/**
 * Undefined when no context is chosen or it is `default`. A chosen context that cannot be read has an empty address, so that it
 * is reported and not silently replaced.
 */
export const contextEndpoint = Effect.fnUntraced(function* (
  configDirectory: string | undefined,
  chosen: string | undefined
): Effect.fn.Return<{ readonly name: string; readonly address: string } | undefined, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const current =
    configDirectory === undefined
      ? undefined
      : yield* fs.readFileString(`${configDirectory}/config.json`).pipe(
          Effect.flatMap(decodeConfig),
          Effect.map((config) => config.currentContext),
          Effect.orElseSucceed(() => undefined)
        )
  const name = chosen ?? current
  if (name === undefined || name === "" || name === "default") return undefined
  const digest = createHash("sha256").update(name).digest("hex")
  const address = yield* fs.readFileString(`${configDirectory ?? ""}/contexts/meta/${digest}/meta.json`).pipe(
    Effect.flatMap(decodeMeta),
    Effect.map((meta) => meta.Endpoints.docker.Host),
    Effect.orElseSucceed(() => "")
  )
  return { name, address }
})
