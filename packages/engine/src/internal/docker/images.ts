/** Images. Nothing here pulls. Progress lines are read by us: a failed import still answers 200. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { ImageInfo, LabelFilter } from "../../Engine.ts"
import type { CallError } from "../../EngineError.ts"
import { EngineFailure } from "../../EngineError.ts"
import { upload } from "./archive.ts"
import type { Connection } from "./connection.ts"
import { conflict, failure, invalid, notFound } from "./errors.ts"
import { decodeJson, send, sendJson } from "./request.ts"
import { labelFilters, maybe, StringMap, Strings } from "./wire.ts"

const common = {
  Id: Schema.String,
  RepoTags: maybe(Strings),
  RepoDigests: maybe(Strings),
  Size: Schema.Finite
}
const Listed = Schema.Struct({ ...common, Labels: maybe(StringMap) })
const Inspected = Schema.Struct({
  ...common,
  Config: maybe(Schema.Struct({ Labels: maybe(StringMap) }))
})

const toImage = (
  wire: Omit<typeof Listed.Type, "Labels">,
  labels: Readonly<Record<string, string>> | null | undefined
): ImageInfo => ({
  id: wire.Id,
  // Older engines name untagged images so.
  references: [...(wire.RepoTags ?? []), ...(wire.RepoDigests ?? [])].filter(
    (reference) => !reference.startsWith("<none>")
  ),
  labels: labels ?? {},
  sizeBytes: wire.Size
})

export const list = (connection: Connection, labels: LabelFilter) =>
  sendJson(
    connection,
    {
      operation: "list images",
      method: "GET",
      path: ["images", "json"],
      query: { filters: labelFilters(labels) }
    },
    Schema.Array(Listed)
  ).pipe(
    Effect.map((images) => images.map((image) => toImage(image, image.Labels))),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal)))
  )

export const inspect = (connection: Connection, reference: string) =>
  sendJson(
    connection,
    { operation: "inspect image", method: "GET", path: ["images", reference, "json"] },
    Inspected
  ).pipe(
    Effect.map((image) => toImage(image, image.Config?.Labels)),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(notFound(refusal, "image", reference) ?? failure(refusal)))
  )

export const remove = (connection: Connection, reference: string) =>
  send(connection, {
    operation: "remove image",
    method: "DELETE",
    path: ["images", reference]
  }).pipe(
    Effect.asVoid,
    Effect.catchTag("Refusal", (refusal) =>
      refusal.status === 404 ? Effect.void : Effect.fail(conflict(refusal, reference) ?? failure(refusal))
    )
  )

/** `error` is deprecated in favour of `errorDetail`; engines send either or both. */
const Progress = Schema.Struct({
  status: maybe(Schema.String),
  error: maybe(Schema.String),
  errorDetail: maybe(Schema.Struct({ code: maybe(Schema.Int), message: maybe(Schema.String) }))
})

const splitReference = (reference: string) => {
  const colon = reference.indexOf(":", reference.lastIndexOf("/") + 1)
  return colon < 0
    ? { repo: reference, tag: "latest" }
    : { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) }
}

/** The id of the last line; fails on an error line although the status was 200. */
const readProgress = Effect.fnUntraced(function* (operation: string, text: string) {
  let id: string | undefined
  for (const line of text.split("\n").filter((part) => part.trim() !== "")) {
    const progress = yield* decodeJson(Progress)(operation, line)
    const detail = progress.errorDetail?.message ?? progress.error
    if (detail) {
      return yield* new EngineFailure({
        operation,
        status: progress.errorDetail?.code ?? 500,
        detail
      })
    }
    if (progress.status?.startsWith("sha256:") === true) id = progress.status
  }
  return id
})

export const importImage = Effect.fnUntraced(function* (
  connection: Connection,
  tar: Stream.Stream<Uint8Array, CallError>,
  options: { readonly reference: string; readonly changes: ReadonlyArray<string> }
) {
  const operation = "import image"
  const answer = yield* upload(
    connection,
    {
      operation,
      method: "POST",
      path: ["images", "create"],
      query: { fromSrc: "-", ...splitReference(options.reference), changes: options.changes }
    },
    tar
  ).pipe(Effect.catchTag("Refusal", (refusal) => Effect.fail(invalid(refusal) ?? failure(refusal))))
  const id = yield* readProgress(operation, answer.text)
  if (id !== undefined) return id
  const image = yield* inspect(connection, options.reference).pipe(
    Effect.catchTag("ObjectNotFound", () =>
      Effect.fail(new EngineFailure({ operation, status: 500, detail: "the engine reported no image" }))
    )
  )
  return image.id
})
