/** Laws of export and import: what comes out is what went in, to the byte of its hash, and nothing else goes in. */
import { assert } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Transfer from "@sbx/journal/Transfer"
import type { Law } from "./laws.ts"
import { event, stream } from "./laws.ts"

type Service = Journal.Journal["Service"]

/** Several commits with all that an envelope may carry, numbers as keys and text beyond ASCII among it. */
const fill = Effect.fnUntraced(function* (journal: Service, more = 20) {
  const odd = { type: "Said", schemaVersion: 2, payload: { b: 1, 10: "x", 2: ["\u2028", 1e21, null], a: { "": "ü€" } } }
  yield* journal.append(stream("a"), [event(1), odd], { expected: Journal.noStream, commandId: "c", correlation: "r" })
  yield* journal.appendAll([
    { stream: stream("a"), events: [event(2)], options: { expected: Journal.exact(2), commandId: "d", causation: 1 } },
    { stream: stream("b"), events: [event(3)], options: { expected: Journal.noStream, commandId: "d", closes: true } }
  ])
  for (let n = 0; n < more; n++) yield* journal.append(stream(`s${n % 9}`), [event(n)], { expected: Journal.any })
  yield* journal.close(stream("a"))
})

const lines = (journal: Service) => Stream.runCollect(Transfer.exportLines(journal))
const take = (journal: Service, text: ReadonlyArray<string>, newIdentity = false) =>
  Transfer.importLines(journal, Stream.fromIterable(text), { newIdentity })
const onMemory = <A, E>(options: Memory.MemoryOptions, use: (journal: Service) => Effect.Effect<A, E>) =>
  Journal.Journal.pipe(Effect.flatMap(use), Effect.provide(Layer.fresh(Memory.layerWith(options))))
const identity = (journal: Service) => ({ id: journal.id, createdAtMillis: journal.log.createdAtMillis })

const out: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  yield* fill(journal)
  const exported = yield* lines(journal)
  const events = yield* Stream.runCollect(journal.readAll())
  assert.deepStrictEqual(yield* Transfer.identityOf(exported[0] ?? ""), identity(journal))
  const repeat = yield* onMemory({ identity: identity(journal) }, (copy) =>
    Effect.gen(function* () {
      const { commits, head, hash } = yield* take(copy, exported)
      const end = JSON.stringify({ _tag: "End", commits, head, hash })
      assert.deepStrictEqual([exported.at(-1), exported.length], [end, commits + 2])
      assert.deepStrictEqual(yield* Stream.runCollect(copy.readAll()), events)
      assert.deepStrictEqual(yield* copy.streams(), yield* journal.streams())
      const again = copy.append(stream("b"), [event(3)], { expected: Journal.any, commandId: "d" })
      assert.strictEqual((yield* Effect.flip(again))._tag, "CommandReused", "command ids came along")
      return yield* lines(copy)
    })
  )
  assert.deepStrictEqual(repeat, exported)
})

const into: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const source = yield* onMemory({ identity: identity(journal) }, (origin) =>
    Effect.andThen(
      fill(origin, 300),
      Effect.all({ exported: lines(origin), events: Stream.runCollect(origin.readAll()) })
    )
  )
  const live = yield* Effect.forkChild(
    Stream.runCollect(Stream.take(Stream.filter(journal.subscribe({ from: Journal.start }), isEvent), 305)),
    { startImmediately: true }
  )
  const imported = yield* take(journal, source.exported)
  assert.strictEqual(imported.head, source.events.length)
  assert.deepStrictEqual(yield* Stream.runCollect(journal.readAll()), source.events)
  assert.deepStrictEqual(yield* lines(journal), source.exported)
  assert.strictEqual((yield* live.pipe(Fiber.join)).length, 305)
  const next = yield* journal.append(stream("new"), [event(1)], { expected: Journal.noStream })
  assert.strictEqual(next.first, imported.head + 1)
  const full = yield* Effect.flip(take(journal, source.exported))
  assert.strictEqual(full._tag === "ImportRefused" && full.reason, "NotEmpty")
})

const isEvent = (delivery: Journal.Delivery) => delivery._tag === "Event"

const anew: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const source = yield* onMemory({}, (origin) => Effect.andThen(fill(origin), lines(origin)))
  const refused = yield* Effect.flip(take(journal, source))
  assert.deepStrictEqual(
    [refused._tag === "ImportRefused" && refused.reason, yield* journal.head],
    ["AnotherJournal", 0]
  )
  assert.include(refused.message, `the target is ${journal.id}`)
  const { head, hash } = yield* take(journal, source, true)
  const own = yield* lines(journal)
  assert.include(own.at(-1) ?? "", hash, "it has a chain of its own")
  assert.notInclude(source.join(""), hash)
  const first = yield* Stream.runCollect(Stream.take(journal.readAll(), 1))
  assert.deepStrictEqual([head, first[0]?.eventId], [25, `${journal.id}:1`])
})

type Reason = Transfer.ImportRefused["reason"]
const damages: ReadonlyArray<readonly [what: string, reason: Reason, change: (text: Array<string>) => void]> = [
  ["a cut end", "Truncated", (text) => void text.pop()],
  ["a missing commit at the end", "Truncated", (text) => void text.splice(-2, 1)],
  ["a missing commit", "Broken", (text) => void text.splice(5, 1)],
  ["a changed payload", "Broken", (text) => text.splice(9, 1, text[9]?.replace('"n":', '"m":') ?? "")],
  ["a changed version", "Broken", (text) => text.splice(9, 1, text[9]?.replace('"version":', '"version":1') ?? "")],
  [
    "another digest's command",
    "Broken",
    (text) => text.splice(1, 1, text[1]?.replace('"commandId":"c","digest"', '"commandId":"e","digest"') ?? "")
  ],
  ["no header", "NotAnExport", (text) => void text.shift()],
  ["a line that is not JSON", "NotAnExport", (text) => text.splice(3, 1, "{")],
  ["more after the end", "NotAnExport", (text) => void text.push(text[2] ?? "")],
  ["a newer format", "NotAnExport", (text) => text.splice(0, 1, text[0]?.replace('"format":1', '"format":2') ?? "")]
]

const damaged: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  yield* fill(journal)
  const exported = yield* lines(journal)
  for (const [what, reason, change] of damages) {
    const text = [...exported]
    change(text)
    assert.notDeepEqual(text, exported, what)
    const error = yield* Effect.flip(onMemory({ identity: identity(journal) }, (copy) => take(copy, text)))
    assert.strictEqual(error._tag === "ImportRefused" && error.reason, reason, `${what}: ${error.message}`)
  }
})

const misfits: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const logged = yield* onMemory({ identity: identity(journal) }, (origin) =>
    Effect.andThen(fill(origin), Stream.runCollect(Stream.take(origin.log.commits, 3)))
  )
  const [first, second] = logged
  assert.isDefined(first)
  assert.isDefined(second)
  const refusal = (commit: typeof first) => Effect.map(Effect.flip(journal.log.restore(commit, "verbatim")), String)
  assert.include(yield* refusal(second), "commit 1 is due")
  assert.include(yield* refusal({ ...first, rows: first.rows.slice(1) }), "positions from 1 on are due")
  assert.include(yield* refusal({ ...first, commit: { ...first.commit, epoch: 9 } }), "its hash does not follow")
  yield* journal.log.restore(first, "verbatim")
  assert.include(yield* refusal(first), "commit 2 is due")
  assert.strictEqual(yield* journal.head, 2)
})

export const transferLaws: Readonly<Record<string, Law>> = {
  "exports what an import makes the same journal of": out,
  "imports an export of the same identity to the byte": into,
  "imports another journal only when told to, under a chain of its own": anew,
  "refuses damaged exports": damaged,
  "refuses to restore a commit that does not follow": misfits
}
