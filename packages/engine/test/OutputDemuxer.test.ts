import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Schema, Stream } from "effect"
import type { OutputFrame } from "../src/Engine.ts"
import * as OutputDemuxer from "../src/OutputDemuxer.ts"
import { frame } from "./support/FakeDocker.ts"

const operation = "read output"
const text = (frames: Iterable<OutputFrame>, channel: OutputFrame["channel"]) =>
  Buffer.concat([...frames].filter((part) => part.channel === channel).map((part) => part.bytes)).toString("latin1")

const collect = (chunks: ReadonlyArray<Uint8Array>, options?: Partial<OutputDemuxer.DemuxOptions>) =>
  Stream.fromIterable(chunks).pipe(OutputDemuxer.demux({ operation, ...options }), Stream.runCollect)

/** Runs of equal neighbours: what a reader sees whatever the chunks were. */
const merged = (frames: Iterable<OutputFrame>) => {
  const runs: Array<[string, string]> = []
  for (const part of frames) {
    const last = runs.at(-1)
    const piece = Buffer.from(part.bytes).toString("latin1")
    if (last?.[0] === part.channel) last[1] += piece
    else runs.push([part.channel, piece])
  }
  return runs
}

const split = (bytes: Buffer, sizes: ReadonlyArray<number>) => {
  const chunks: Array<Uint8Array> = []
  let offset = 0
  for (let i = 0; offset < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1)
    chunks.push(bytes.subarray(offset, offset + size))
    offset += size
  }
  return chunks
}

const Frames = Schema.Array(
  Schema.Struct({ stream: Schema.Literals([0, 1, 2]), payload: Schema.String.check(Schema.isMaxLength(40)) })
)
const Sizes = Schema.NonEmptyArray(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 23 })))

describe("OutputDemuxer", () => {
  it.effect.prop(
    "gives the same channels in the same order for any split of the bytes",
    [Arbitrary.schema(Frames), Arbitrary.schema(Sizes)],
    ([frames, sizes]) =>
      Effect.gen(function* () {
        const bytes = Buffer.concat(frames.map(({ stream, payload }) => frame(stream, payload)))
        const parts = yield* collect(split(bytes, sizes))
        const expected = frames
          .filter(({ payload }) => payload !== "")
          .map(({ stream, payload }): OutputFrame => ({
            channel: stream === 2 ? "stderr" : "stdout",
            bytes: Buffer.from(payload)
          }))
        assert.deepStrictEqual(merged(parts), merged(expected))
      })
  )

  it.effect("splits a header over eight chunks", () =>
    Effect.gen(function* () {
      const bytes = frame(2, "oops")
      const parts = yield* collect(split(bytes, [1]))
      assert.strictEqual(text(parts, "stderr"), "oops")
    })
  )

  it.effect("takes 5,000 one-byte frames in one chunk", () =>
    Effect.gen(function* () {
      const bytes = Buffer.concat(Array.from({ length: 5_000 }, (_, i) => frame(1 + (i % 2), "x")))
      const parts = yield* collect([bytes])
      assert.strictEqual(parts.length, 5_000)
      assert.strictEqual(text(parts, "stdout").length, 2_500)
    })
  )

  it.effect("hands out a big frame in parts as the chunks come, never copying a payload", () =>
    Effect.sync(() => {
      const demuxer = OutputDemuxer.make({ operation })
      const bytes = frame(1, Buffer.alloc(32 * 1024 * 1024, 1))
      let seen = 0
      for (const chunk of split(bytes, [65_521])) {
        const frames = demuxer.push(chunk)
        for (const part of frames) {
          assert.strictEqual(part.bytes.buffer, bytes.buffer)
          seen += part.bytes.length
        }
        assert.isAtMost(frames.length, 1)
      }
      assert.strictEqual(seen, 32 * 1024 * 1024)
      assert.isUndefined(demuxer.end())
    })
  )

  it("needs time linear in the input: four times the bytes, far less than sixteen times the cpu", () => {
    const cpuMicros = (mebibytes: number) => {
      const chunks = split(
        Buffer.concat(Array.from({ length: mebibytes * 64 }, () => frame(1, Buffer.alloc(16 * 1024)))),
        [32 * 1024 + 1]
      )
      const rounds = [1, 2, 3].map(() => {
        const demuxer = OutputDemuxer.make({ operation })
        const before = process.cpuUsage()
        for (const chunk of chunks) demuxer.push(chunk)
        const after = process.cpuUsage(before)
        return after.user + after.system
      })
      return Math.min(...rounds)
    }
    cpuMicros(1) // compiled
    // A floor keeps the ratio meaningful when both are near the clock's resolution.
    const floor = 2_000
    assert.isBelow((cpuMicros(32) + floor) / (cpuMicros(8) + floor), 10)
  })

  it.effect("fails when the output ends inside a payload or a header, after handing out what came", () =>
    Effect.gen(function* () {
      for (const cut of [3, 11]) {
        const seen: Array<OutputFrame> = []
        const bytes = Buffer.concat([frame(1, "first"), frame(1, "second").subarray(0, cut)])
        const error = yield* Stream.fromIterable([bytes]).pipe(
          OutputDemuxer.demux({ operation }),
          Stream.runForEach((part) => Effect.sync(() => seen.push(part))),
          Effect.flip
        )
        assert.strictEqual(error._tag, "EngineProtocolError")
        assert.include(error.message, "ended")
        assert.isTrue(text(seen, "stdout").startsWith("first"))
      }
    })
  )

  it.effect("refuses an unknown stream id and hands out what came before", () =>
    Effect.gen(function* () {
      const seen: Array<OutputFrame> = []
      const exit = yield* Stream.fromIterable([
        Buffer.concat([frame(1, "ok"), frame(7, "bad"), frame(1, "late")])
      ]).pipe(
        OutputDemuxer.demux({ operation }),
        Stream.runForEach((part) => Effect.sync(() => seen.push(part))),
        Effect.exit
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "unknown stream id 7")
      assert.strictEqual(text(seen, "stdout"), "ok")
    })
  )

  it.effect("refuses a frame longer than the bound", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(collect([frame(1, "0123456789")], { maxFrameBytes: 9 }))
      assert.include(error.message, "a frame of 10 bytes")
    })
  )

  it.effect("raises the engine's own error from stream 3", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(collect(split(frame(3, "daemon is unwell"), [5])))
      assert.strictEqual(error._tag, "EngineFailure")
      assert.include(error.message, "daemon is unwell")
    })
  )

  it.effect("hands raw terminal output to stdout as it is", () =>
    Effect.gen(function* () {
      const parts = yield* collect([Buffer.from("a\u0001b"), Buffer.from("c")], { mode: "raw" })
      assert.strictEqual(text(parts, "stdout"), "a\u0001bc")
    })
  )

  it.effect("does not read ahead of its consumer", () =>
    Effect.gen(function* () {
      let pulled = 0
      const source = Stream.fromIterable(
        Array.from({ length: 100 }, () => frame(1, "x")),
        { chunkSize: 1 }
      ).pipe(Stream.tap(() => Effect.sync(() => pulled++)))
      const parts = yield* source.pipe(OutputDemuxer.demux({ operation }), Stream.take(3), Stream.runCollect)
      assert.strictEqual(parts.length, 3)
      assert.strictEqual(pulled, 3)
    })
  )
})
