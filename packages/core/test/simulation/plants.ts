/**
 * Bugs to plant, each in what surrounds core and never inside it: a simulation that does not find every one of them proves nothing.
 * Every history gets a plant of its own, because some keep state.
 */
import type { EngineShape } from "@sbx/engine/Engine"
import { any, type Journal, type StreamName } from "@sbx/journal/Journal"
import type { StoreFaults } from "@sbx/journal/MemoryStore"
import { Effect, Stream } from "effect"
import * as SandboxLabels from "../../src/SandboxLabels.ts"
import type { PendingUndos } from "../../src/UndoRunner.ts"

type Service = Journal["Service"]

export interface Plant {
  readonly engine?: (engine: EngineShape) => EngineShape
  readonly journal?: (journal: Service) => Service
  readonly store?: (faults: StoreFaults) => StoreFaults
  readonly pendingUndos?: PendingUndos
  /** Every other process looks dead. */
  readonly seesNobody?: boolean
  /** By how much a reap believes it to be later: it takes "not found" for "gone" so much too early. */
  readonly aheadMillis?: number
  /** A reap looks once, and does not care for creates in doubt. */
  readonly sweepsOnce?: boolean
}

/** The event that says that a container will be created. */
const isIntent = (event: { readonly type: string } | undefined) => event?.type === "CreateIntended"

/** The intent is recorded when the container is there. */
const recordAfterCreate = (): Plant => {
  const held = new Map<string, Effect.Effect<unknown>>()
  const flush = (stream: string | undefined) =>
    Effect.suspend(() => {
      const append = held.get(stream ?? "") ?? Effect.void
      held.delete(stream ?? "")
      return append
    })
  return {
    journal: (journal) => ({
      ...journal,
      append: (stream, events, options) =>
        Effect.suspend(() => {
          if (!isIntent(events[0])) return journal.append(stream, events, options)
          held.set(stream, Effect.ignore(journal.append(stream, events, options)))
          return Effect.succeed({ first: 0, last: 0, version: events.length, deduplicated: false })
        })
    }),
    engine: (engine) => ({
      ...engine,
      createContainer: (spec) =>
        Effect.onExit(engine.createContainer(spec), () => flush(spec.labels?.[SandboxLabels.keys.stream]))
    })
  }
}

/** A removal that the engine refused counts as done. */
const swallowFailures = (): Plant => ({
  engine: (engine) => ({
    ...engine,
    removeContainer: (id) => Effect.ignore(engine.removeContainer(id)),
    removeVolume: (name) => Effect.ignore(engine.removeVolume(name))
  })
})

/** A repeat of an append whose outcome is unknown appends again. */
const repeatBlindly = (): Plant => ({
  journal: (journal) => ({
    ...journal,
    append: (stream, events, options) =>
      journal.append(stream, events, { ...options, commandId: undefined, expected: any })
  })
})

/** A slow subscriber loses what does not fit into its buffer. */
const dropOnOverflow = (): Plant => ({
  journal: (journal) => ({
    ...journal,
    subscribe: (options) => Stream.buffer(journal.subscribe(options), { capacity: 2, strategy: "sliding" })
  })
})

/** The disk answers before it has written. */
const lyingDisk = (): Plant => ({
  store: ({ commit }) => ({
    commit: () => {
      const { fate, millis } = commit()
      return { fate: fate === "done" ? "unflushed" : fate, millis }
    }
  })
})

/** Removed streams take their closing along: the last event of a stream does not close it. */
const neverClose = (): Plant => ({
  journal: (journal) => ({
    ...journal,
    append: (stream: StreamName, events, options) => journal.append(stream, events, { ...options, closes: false })
  })
})

export const none = (): Plant => ({})

export const plants = {
  "record after create": recordAfterCreate,
  "one sweep, without waiting for creates in doubt": () => ({ sweepsOnce: true }),
  "not found is gone, before the create deadline": () => ({ aheadMillis: 10_000 }),
  "neighbours that live look dead": () => ({ seesNobody: true }),
  "no undo after a crash": () => ({ pendingUndos: () => Effect.succeed([]) }),
  "appends repeated without command id": repeatBlindly,
  "failures of removals swallowed": swallowFailures,
  "subscriptions that drop on overflow": dropOnOverflow,
  "commits answered before they are durable": lyingDisk,
  "streams that are never closed": neverClose
} satisfies Record<string, () => Plant>

export const byName = (name: string | undefined): (() => Plant) => {
  const found = Object.entries<() => Plant>(plants).find(([known]) => known === name)?.[1]
  if (name !== undefined && found === undefined)
    throw new Error(`no such plant; known: ${Object.keys(plants).join("; ")}`)
  return found ?? none
}
