/** What goes through the pipe between a process and its watchdog: one JSON object a line. The pipe's end is the last word. */
import * as Schema from "effect/Schema"

/** What a watchdog answers for. */
export const WardOrder = Schema.Struct({
  /** Label of the process, see `Owner`. */
  owner: Schema.String,
  endpoint: Schema.Struct({
    kind: Schema.Literals(["explicit", "context", "default", "private"]),
    address: Schema.String
  }),
  /** Absolute. */
  stateDir: Schema.String,
  journalId: Schema.String,
  /** Absolute; empty for a journal in memory, whose streams nobody can settle. */
  journalPath: Schema.String
})
export type WardOrder = typeof WardOrder.Type

/** `Goodbye`: all is cleared, or is to be kept; the watchdog has nothing left to do. */
export const Message = Schema.TaggedUnion({ Guard: { order: WardOrder }, Goodbye: {} })
export type Message = typeof Message.Type

export const MessageLine = Schema.fromJsonString(Message)

/** What the watchdog says on its standard output once it can do its work. */
export const greeting = "watching"
