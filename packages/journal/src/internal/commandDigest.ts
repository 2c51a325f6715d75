/** What a command id stands for, as a digest: the events and whether they close the stream, not the expectation. */
import { sha256 } from "./hashChain.ts"

interface Content {
  readonly type: string
  readonly schemaVersion: number
  readonly payload: string
}

/** Digest of an append to one stream. */
export const appendDigest = (events: ReadonlyArray<Content>, closes: boolean): string =>
  sha256(JSON.stringify([closes, events.map((e) => [e.type, e.schemaVersion, e.payload])]))

/** Digest that every command id of one appendAll gets: it stands for all of the items, in their order. */
export const requestDigest = (items: ReadonlyArray<{ readonly stream: string; readonly digest: string }>): string =>
  sha256(JSON.stringify(items.map(({ stream, digest }) => [stream, digest])))
