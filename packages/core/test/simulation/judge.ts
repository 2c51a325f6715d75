/** The invariants of a history that has come to rest: whatever happened, nothing is left, lost, stuck or harmed. */
import { Journal } from "@sbx/journal/Journal"
import * as MemoryStore from "@sbx/journal/MemoryStore"
import { Effect, Stream } from "effect"
import { isTerminal } from "../../src/LifecycleState.ts"
import { SandboxEvents } from "../../src/SandboxEvent.ts"
import { fold } from "../../src/SandboxLifecycle.ts"
import { type Machine, violate } from "./machine.ts"

/** Whoever made it: an engine makes a volume without labels for a container that asks for one. */
const theirs = new Set(["stranger", "their-data", "theirs", "sbx-elsewhere"])

/** Nothing of ours in the engine or on the machine. */
export const judgeLeaks = (machine: Machine): void => {
  const { containers, volumes, networks, pendingNames, defects } = machine.engine.view()
  const ours = [...containers, ...volumes, ...networks].filter(({ name }) => !theirs.has(name))
  for (const { name } of ours) violate(machine, `${name} is left in the engine`)
  for (const name of pendingNames) violate(machine, `the name ${name} is still taken`)
  for (const name of machine.images) violate(machine, `the image of ${name} is left`)
  for (const { uid, sandbox } of machine.leases.values()) violate(machine, `uid ${uid} of ${sandbox} is still leased`)
  for (const defect of defects) violate(machine, `the simulated engine has a defect: ${String(defect)}`)
}

/** Each journal: contiguous, acknowledged appends kept, one writer per epoch, every stream closed in a terminal state. */
export const judgeJournals = (machine: Machine) =>
  Effect.forEach(machine.stores.values(), (store) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const rows = yield* Stream.runCollect(journal.readAll())
      const versions = new Map<string, number>()
      let epoch = 0
      for (const [index, row] of rows.entries()) {
        if (row.position !== index + 1) violate(machine, `${store.path} has position ${row.position} at ${index + 1}`)
        const version = (versions.get(row.stream) ?? 0) + 1
        if (row.version !== version) violate(machine, `${row.stream} has version ${row.version} at ${version}`)
        versions.set(row.stream, version)
        if (row.epoch < epoch) violate(machine, `${store.path} has epoch ${row.epoch} after ${epoch}`)
        epoch = row.epoch
      }
      for (const { by, stream, first, types } of machine.acks.filter(({ path }) => path === store.path)) {
        const kept = types.every(
          (type, n) => rows[first - 1 + n]?.stream === stream && rows[first - 1 + n]?.type === type
        )
        if (!kept) violate(machine, `${by} was told that ${types.join(", ")} is at ${first} of ${stream}; it is not`)
      }
      if (epoch > 1) machine.faults.count("taken-over")
      yield* judgeStreams(machine, journal)
      yield* countEvents(machine, journal)
    }).pipe(Effect.provide(MemoryStore.layerReaderOn(store)))
  )

const judgeStreams = (machine: Machine, journal: Journal["Service"]) =>
  Effect.gen(function* () {
    for (const { name, status } of yield* journal.streams()) {
      if (status === "open") violate(machine, `${name} is still open`)
      if (!name.startsWith("sandbox/")) continue
      const recorded = yield* Stream.runCollect(SandboxEvents.read(journal, name))
      const state = fold(recorded.flatMap(({ payload }) => (payload._tag === "UnknownEvent" ? [] : [payload])))
      if (!isTerminal(state)) violate(machine, `${name} rests in ${state.status}`)
      if (state.counts.anomalies > 0) violate(machine, `${name} has ${state.counts.anomalies} events that do not fit`)
    }
  })

/** Outcomes that only a recovery or a fault brings about: the exploration has to meet them. */
const noteworthy = [
  "CreateFailed",
  "CreateAbandoned",
  "StartFailed",
  "Died",
  "Vanished",
  "ExecLost",
  "ExecTimedOut",
  "RemoveFailed",
  "OrphanReaped",
  "RunInterrupted",
  "DisturbanceCleared"
]

const countEvents = (machine: Machine, journal: Journal["Service"]) =>
  Stream.runForEach(journal.readAll({ filter: { types: noteworthy } }), ({ type }) =>
    Effect.sync(() => machine.faults.count(type))
  )
