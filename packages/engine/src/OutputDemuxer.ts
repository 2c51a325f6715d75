/**
 * Separates the engine's multiplexed output into stdout and stderr, incrementally and without copying payloads: time and memory are
 * linear in the input for any chunk split. Refuses unknown stream ids, absurd frame lengths and an end inside a frame.
 * Format: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach ("Stream format").
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { OutputFrame } from "./Engine.ts"
import { EngineFailure, EngineProtocolError } from "./EngineError.ts"

export interface DemuxOptions {
  /** What the bytes belong to, for error messages, e.g. `read output of exec`. */
  readonly operation: string
  /** `raw` when the process has a terminal: there are no frames, all is stdout. Default `frames`. */
  readonly mode?: "frames" | "raw"
  /** A longer frame means that we are out of step. Engines write at most 1 MiB; default 64 MiB. */
  readonly maxFrameBytes?: number
}

export type DemuxError = EngineProtocolError | EngineFailure

/** Bytes of a header: stream id, three zeros, big-endian payload length. */
export const headerBytes = 8
const defaultMaxFrameBytes = 64 * 1024 * 1024
const maxSystemErrorBytes = 64 * 1024

/** 0 is stdin, which moby's own reader hands to stdout; 3 carries an error of the engine itself. */
const channels = ["stdout", "stdout", "stderr", "systemError"] as const

/** The state between chunks. Payload parts are views into the chunks, handed out as they arrive. */
export interface Demuxer {
  /** Consumes a chunk up to the first fault; the parts' buffers are those of the chunk. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<OutputFrame>
  /** What broke; nothing after it is read. */
  readonly fault: () => DemuxError | undefined
  /** Must be called at the end of input; an error means that it ended inside a frame. */
  readonly end: () => DemuxError | undefined
}

class FrameDemuxer implements Demuxer {
  private readonly header = new Uint8Array(headerBytes)
  private headerFilled = 0
  private channel: (typeof channels)[number] = "stdout"
  private payloadLeft = 0
  private systemError = ""
  private broken: DemuxError | undefined
  private readonly decoder = new TextDecoder()
  private readonly operation: string
  private readonly maxFrameBytes: number

  constructor(options: DemuxOptions) {
    this.operation = options.operation
    this.maxFrameBytes = options.maxFrameBytes ?? defaultMaxFrameBytes
  }

  push(chunk: Uint8Array) {
    const frames: Array<OutputFrame> = []
    let offset = 0
    while (offset < chunk.length && this.broken === undefined) {
      if (this.payloadLeft === 0) {
        offset += this.takeHeader(chunk, offset)
      } else {
        const end = Math.min(chunk.length, offset + this.payloadLeft)
        this.payloadLeft -= end - offset
        this.takePayload(chunk.subarray(offset, end), frames)
        offset = end
      }
    }
    return frames
  }

  fault() {
    return this.broken
  }

  end() {
    if (this.broken === undefined && this.payloadLeft > 0) {
      this.fail(`the output ended ${this.payloadLeft} bytes before the end of a frame`)
    } else if (this.broken === undefined && this.headerFilled > 0) {
      this.fail(`the output ended after ${this.headerFilled} of ${headerBytes} bytes of a header`)
    }
    return this.broken
  }

  /** Returns how many bytes it took. */
  private takeHeader(chunk: Uint8Array, offset: number): number {
    const part = chunk.subarray(offset, offset + headerBytes - this.headerFilled)
    this.header.set(part, this.headerFilled)
    this.headerFilled += part.length
    if (this.headerFilled === headerBytes) this.beginFrame()
    return part.length
  }

  private beginFrame() {
    this.headerFilled = 0
    const channel = channels[this.header[0] ?? 255]
    const length = new DataView(this.header.buffer).getUint32(4)
    if (channel === undefined || this.header[1] || this.header[2] || this.header[3]) {
      this.fail(`unknown stream id ${this.header.subarray(0, 4).join(".")}`)
    } else if (length > this.maxFrameBytes) {
      this.fail(`a frame of ${length} bytes`)
    } else {
      this.channel = channel
      this.payloadLeft = length
      this.systemError = ""
    }
  }

  private takePayload(bytes: Uint8Array, frames: Array<OutputFrame>) {
    if (this.channel !== "systemError") {
      frames.push({ channel: this.channel, bytes })
      return
    }
    if (this.systemError.length < maxSystemErrorBytes) {
      this.systemError += this.decoder.decode(bytes, { stream: true })
    }
    if (this.payloadLeft === 0) {
      this.broken = new EngineFailure({
        operation: this.operation,
        status: 500,
        detail: this.systemError
      })
    }
  }

  private fail(detail: string) {
    this.broken = new EngineProtocolError({ operation: this.operation, detail })
  }
}

const rawDemuxer: Demuxer = {
  push: (bytes) => (bytes.length === 0 ? [] : [{ channel: "stdout", bytes }]),
  fault: () => undefined,
  end: () => undefined
}

/** A demuxer by hand, e.g. for a benchmark. */
export const make = (options: DemuxOptions): Demuxer =>
  options.mode === "raw" ? rawDemuxer : new FrameDemuxer(options)

/** One pull of frames from pulls of chunks; a fault is raised after the frames before it were handed out. */
const pullFrames = <E>(
  pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E>,
  demuxer: Demuxer
): Pull.Pull<Arr.NonEmptyReadonlyArray<OutputFrame>, E | DemuxError> => {
  const next: Pull.Pull<Arr.NonEmptyReadonlyArray<OutputFrame>, E | DemuxError> = Effect.suspend(() => {
    const fault = demuxer.fault()
    if (fault !== undefined) return Effect.fail(fault)
    return Effect.flatMap(pull, (chunks) => {
      const frames = chunks.flatMap((chunk) => demuxer.push(chunk))
      return Arr.isReadonlyArrayNonEmpty(frames) ? Effect.succeed(frames) : next
    })
  })
  return next
}

/**
 * Bytes to frames. Pulls a chunk only when its frames were taken, so a slow consumer stops the reading. A frame may be handed out in
 * several parts; their order is that of the bytes.
 */
export const demux =
  (options: DemuxOptions) =>
  <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<OutputFrame, E | DemuxError, R> =>
    Stream.transformPull(bytes, (pull) =>
      Effect.sync(() => {
        const demuxer = make(options)
        return pullFrames(pull, demuxer).pipe(
          Pull.catchDone((): Pull.Pull<never, DemuxError> => {
            const truncated = demuxer.end()
            return truncated === undefined ? Cause.done() : Effect.fail(truncated)
          })
        )
      })
    )
