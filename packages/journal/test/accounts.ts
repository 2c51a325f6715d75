/** A small domain for laws: accounts with amounts that move between them, its projection in two versions, its decider. */
import { Effect, Result, Schema } from "effect"
import type { Decider } from "@sbx/journal/Decider"
import * as EventFamily from "@sbx/journal/EventFamily"
import type * as Journal from "@sbx/journal/Journal"
import * as Projection from "@sbx/journal/Projection"

type Service = Journal.Journal["Service"]

const Account = Schema.TaggedUnion({
  Moved: { amount: Schema.Int, to: Schema.String },
  Frozen: { why: Schema.String }
})
export type AccountEvent = typeof Account.Type

// Version 1 of Moved kept the amount as text; version 2 had no receiver.
export const accounts = EventFamily.make({
  category: "account",
  union: Account,
  upcasts: {
    Moved: [
      EventFamily.upcastWith(Schema.Struct({ amount: Schema.FiniteFromString })),
      (fields) => ({ to: "till", ...fields })
    ]
  }
})

export const moved = (amount: number, to = "till"): AccountEvent => ({ _tag: "Moved", amount, to })
/** A planted event on which the fold below throws. */
export const poison = "poison"

/** Balance and number of events per account: counting is not idempotent, so an event folded twice shows. */
const Balance = Schema.Struct({ balance: Schema.Int, events: Schema.Int })
export type Balance = typeof Balance.Type

export const balances = (foldVersion: number, name = "balances"): Projection.Projection<Balance> =>
  Projection.make({
    name,
    foldVersion,
    family: accounts,
    types: ["Moved"],
    state: Balance,
    keys: (event, stream) => (event._tag === "Moved" ? [stream.slice("account/".length), event.to] : []),
    evolve: (state = { balance: 0, events: 0 }, { payload, stream }, key) => {
      if (payload._tag !== "Moved") return state
      if (payload.to === poison) throw new Error("planted in the fold")
      const sign = accounts.stream(key) === stream ? -1 : 1
      return { balance: state.balance + sign * payload.amount * foldVersion, events: state.events + 1 }
    }
  })

/** What {@link balances} must come to. */
export const expectedBalances = (events: ReadonlyArray<Journal.Recorded<unknown>>, foldVersion: number) => {
  const rows = new Map<string, Balance>()
  const add = (key: string, amount: number) => {
    const { balance, events: count } = rows.get(key) ?? { balance: 0, events: 0 }
    rows.set(key, { balance: balance + amount * foldVersion, events: count + 1 })
  }
  for (const { payload, stream } of events) {
    if (!Schema.is(Account)(payload) || payload._tag !== "Moved") continue
    add(stream.slice("account/".length), -payload.amount)
    add(payload.to, payload.amount)
  }
  return [...rows].toSorted(([left], [right]) => (left < right ? -1 : 1))
}

export const move = (journal: Service, from: string, amount: number, to?: string) =>
  accounts.append(journal, accounts.stream(from), [moved(amount, to)], { expected: { _tag: "Any" } })

/** Looks again until the projection has come to a position: a fact of the storage that nobody announces. */
export const reached = (journal: Service, projection: Projection.AnyProjection, position: number) =>
  Projection.position(journal, projection).pipe(
    Effect.tap((now) => (now < position ? Effect.sleep("1 millis") : Effect.void)),
    Effect.repeat({ until: (now) => now >= position })
  )

export type Command = { readonly _tag: "Spend"; readonly amount: number } | { readonly _tag: "Freeze" }
export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { left: Schema.Int }) {}
interface Purse {
  readonly left: number
  readonly frozen: boolean
}

/** May spend 100, until it is frozen. `seen` tells which events were folded. */
export const purse = (options: {
  readonly foldVersion: number
  readonly seen?: (tag: string) => void
}): Decider<AccountEvent, Purse, Command, Overdrawn> => ({
  family: accounts,
  initial: { left: 100, frozen: false },
  evolve: (state, event) => {
    options.seen?.(event._tag)
    return event._tag === "Moved" ? { ...state, left: state.left - event.amount } : { ...state, frozen: true }
  },
  decide: (command, state) => {
    if (command._tag === "Freeze") return Result.succeed(state.frozen ? [] : [{ _tag: "Frozen", why: "asked" }])
    return command.amount > state.left
      ? Result.fail(new Overdrawn({ left: state.left }))
      : Result.succeed([moved(command.amount)])
  },
  isTerminal: (state) => state.frozen,
  snapshot: {
    name: "purse",
    foldVersion: options.foldVersion,
    state: Schema.Struct({ left: Schema.Int, frozen: Schema.Boolean }),
    every: 5
  }
})
