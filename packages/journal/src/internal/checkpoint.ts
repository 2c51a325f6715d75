/**
 * Checkpoints of projections, one a fold version, and the pointer to the version that is served. A checkpoint moves by
 * compare-and-set of its owner and position, in the transaction that writes the rows.
 */
import { Effect, Result, Schema, Stream } from "effect"
import type { DocumentKey, Documents, DocumentWrite, Transacted } from "../Documents.ts"
import type { EventUndecodable } from "../EventFamily.ts"
import type { JournalUnavailable, Recorded } from "../Journal.ts"
import type { AnyProjection } from "../Projection.ts"

/** Another runner claimed the projection after this one, or a newer fold version has taken its place. */
export class ProjectionTaken extends Schema.TaggedError<ProjectionTaken>()("ProjectionTaken", {
  projection: Schema.String,
  foldVersion: Schema.Int,
  by: Schema.Literals(["AnotherRunner", "NewerFoldVersion"])
}) {
  override get message() {
    const who = this.by === "AnotherRunner" ? "another runner has claimed it" : "a newer fold version is in its place"
    return `Could not advance projection ${this.projection}@${this.foldVersion}: ${who}.\nRun one runner of the newest fold version.`
  }
}

/** `owner` counts the claims: a runner that holds an older one writes nothing more. */
export interface Checkpoint {
  readonly position: number
  readonly owner: number
}

const Pointer = Schema.fromJsonString(Schema.Struct({ live: Schema.Int }))
const Stored = Schema.fromJsonString(Schema.Struct({ position: Schema.Int, owner: Schema.Int }))
// We wrote them: text that does not decode is a defect.
const decodePointer = Schema.decodeSync(Pointer)
const decodeStored = Schema.decodeSync(Stored)

type Identity = Pick<AnyProjection, "name" | "foldVersion">

const checkpoints = "projection"
const clearSlice = 5000

export const rowsOf = ({ name, foldVersion }: Identity): string => `projection:${name}@${foldVersion}`
export const checkpointKey = ({ name, foldVersion }: Identity): DocumentKey => ({
  collection: checkpoints,
  key: `${name}@${foldVersion}`
})
const pointerKey = (name: string): DocumentKey => ({ collection: checkpoints, key: name })

const parse = (text: string | undefined): Checkpoint =>
  text === undefined ? { position: 0, owner: 0 } : decodeStored(text)

export const readCheckpoint = (read: (key: DocumentKey) => string | undefined, projection: Identity): Checkpoint =>
  parse(read(checkpointKey(projection)))

export const writeCheckpoint = (projection: Identity, { position, owner }: Checkpoint) => ({
  ...checkpointKey(projection),
  value: JSON.stringify({ position, owner })
})

export const standing = (documents: Documents, projection: Identity) =>
  Effect.map(documents.get(checkpointKey(projection)), parse)

const parsePointer = (text: string | undefined) => (text === undefined ? undefined : decodePointer(text).live)

export const liveVersion = (documents: Documents, name: string) =>
  Effect.map(documents.get(pointerKey(name)), parsePointer)

const taken = ({ name, foldVersion }: Identity, by: ProjectionTaken["by"]) =>
  Result.fail(new ProjectionTaken({ projection: name, foldVersion, by }))

export interface Claim {
  readonly checkpoint: Checkpoint
  /** Whether this version's rows are the ones that are read. */
  readonly served: boolean
}

/** Makes the caller the owner; whoever was it before is refused from now on. */
export const claim = (documents: Documents, projection: Identity) =>
  documents.transact<Claim, ProjectionTaken>([checkpointKey(projection), pointerKey(projection.name)], (read) => {
    const live = parsePointer(read(pointerKey(projection.name)))
    if (live !== undefined && live > projection.foldVersion) return taken(projection, "NewerFoldVersion")
    const { position, owner } = readCheckpoint(read, projection)
    const checkpoint: Checkpoint = { position, owner: owner + 1 }
    const answer = { checkpoint, served: live === projection.foldVersion }
    return Result.succeed({ answer, writes: [writeCheckpoint(projection, checkpoint)] })
  })

/** A run of events to fold, up to a position that was looked at. */
export interface Advance {
  readonly events: ReadonlyArray<Recorded>
  readonly to: number
  /** The rows are as good as the journal: from now on they are the ones to serve. */
  readonly caughtUp: boolean
}

export interface Advanced {
  readonly checkpoint: Checkpoint
  /** Whether this version has just taken the place of another or of none. */
  readonly switched: boolean
}

/** Folds the events into their rows, moves the checkpoint and the pointer to what is served: all or nothing. */
export const advance = Effect.fnUntraced(function* (
  documents: Documents,
  projection: AnyProjection,
  from: Checkpoint,
  { events, to, caughtUp }: Advance
): Effect.fn.Return<Advanced, ProjectionTaken | EventUndecodable | JournalUnavailable> {
  if (to <= from.position && !caughtUp) return { checkpoint: from, switched: false }
  const collection = rowsOf(projection)
  const pointer = pointerKey(projection.name)
  const keys = new Set<string>()
  for (const event of events) for (const key of yield* Effect.fromResult(projection.keys(event))) keys.add(key)
  const checkpoint: Checkpoint = { ...from, position: Math.max(to, from.position) }
  const reads = [checkpointKey(projection), pointer, ...[...keys].map((key) => ({ collection, key }))]
  return yield* documents.transact(
    reads,
    (read): Result.Result<Transacted<Advanced>, ProjectionTaken | EventUndecodable> => {
      const live = parsePointer(read(pointer))
      if (live !== undefined && live > projection.foldVersion) return taken(projection, "NewerFoldVersion")
      const now = readCheckpoint(read, projection)
      if (now.owner !== from.owner || now.position !== from.position) return taken(projection, "AnotherRunner")
      const session = projection.begin((key) => read({ collection, key }))
      for (const event of events) {
        const applied = session.apply(event)
        if (Result.isFailure(applied)) return Result.fail(applied.failure)
      }
      const writes: Array<DocumentWrite> = session.writes().map(({ key, value }) => ({ collection, key, value }))
      if (checkpoint.position > from.position) writes.push(writeCheckpoint(projection, checkpoint))
      const switched = caughtUp && live !== projection.foldVersion
      if (switched) writes.push({ ...pointer, value: JSON.stringify({ live: projection.foldVersion }) })
      return Result.succeed({ answer: { checkpoint, switched }, writes })
    }
  )
})

/** Deletes rows and checkpoints of the older fold versions, in slices that do not hold up the writer. */
export const clearOthers = Effect.fnUntraced(function* (documents: Documents, projection: Identity) {
  const keys = yield* Stream.runCollect(documents.list(checkpoints))
  for (const { key } of keys) {
    const [name, version] = key.split("@")
    const foldVersion = Number(version)
    if (name !== projection.name || version === undefined || foldVersion >= projection.foldVersion) continue
    const collection = rowsOf({ name, foldVersion })
    const clear = [{ collection, limit: clearSlice }]
    while ((yield* Stream.runCollect(Stream.take(documents.list(collection), 1))).length > 0) {
      yield* documents.transact([], () => Result.succeed({ answer: undefined, writes: [], clear }))
    }
    const writes = [{ collection: checkpoints, key, value: undefined }]
    yield* documents.transact([], () => Result.succeed({ answer: undefined, writes }))
  }
})
