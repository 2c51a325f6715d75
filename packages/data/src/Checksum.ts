/** SHA-256 checksums as lowercase hex, the text `sha256sum` prints, of buffers and of streams in constant memory. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { hasher, sha256, toHex } from "./internal/sha256.ts"

/** Checksum of a buffer, 64 hex digits. */
export const ofBytes = (bytes: Uint8Array): string => toHex(sha256(bytes))

/** Checksum of a text's UTF-8 bytes, 64 hex digits. */
export const ofText = (text: string): string => ofBytes(new TextEncoder().encode(text))

/** Checksum of a stream of chunks, 64 hex digits; keeps no chunk and adds no error of its own. */
export const ofStream = <E, R>(stream: Stream.Stream<Uint8Array, E, R>): Effect.Effect<string, E, R> =>
  Effect.suspend(() => {
    const hash = hasher()
    return stream.pipe(
      Stream.runForEach((chunk) => Effect.sync(() => hash.update(chunk))),
      Effect.map(() => toHex(hash.digest()))
    )
  })
