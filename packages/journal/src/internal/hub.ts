/**
 * Announces commits to the subscribers of this process. It may drop what a slow subscriber has not taken: a
 * subscription never relies on it (see subscription.ts), it only saves reading fresh events again.
 */
import { Effect, PubSub, Scope } from "effect"
import type { Recorded } from "../Journal.ts"
import { JournalUnavailable } from "../Journal.ts"

/** `Wake` says "look at the head": what a reader of another process's journal knows. */
export type Announcement =
  | {
      readonly _tag: "Batch"
      readonly first: number
      readonly last: number
      /** Parsed when the first subscriber asks, and shared by all. */
      readonly events: () => ReadonlyArray<Recorded>
    }
  | { readonly _tag: "Wake" }
  | { readonly _tag: "Closed" }

export type Hub = PubSub.PubSub<Announcement>

/** Sizes that only trade memory for time; tests lower them to reach every path with few events. */
export interface Tuning {
  /** Batches kept for a live subscriber before it is sent back to reading pages. */
  readonly hubCapacity: number
  /** Positions looked at per page: bounds the time of one synchronous read, filtered or not. */
  readonly pageSize: number
}

export const defaults: Tuning = { hubCapacity: 64, pageSize: 1000 }

/** A hub whose end is told to every subscriber, late ones included. */
export const makeHub = (capacity: number): Effect.Effect<Hub, never, Scope.Scope> =>
  Effect.acquireRelease(PubSub.sliding<Announcement>(capacity), (hub) => PubSub.end(hub, { _tag: "Closed" }))

export const journalClosed = (operation: string) =>
  new JournalUnavailable({ operation, reason: "Closed", detail: "the journal was closed" })
