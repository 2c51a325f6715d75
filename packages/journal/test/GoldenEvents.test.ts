import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Schema, SchemaGetter } from "effect"
import * as EventFamily from "@sbx/journal/EventFamily"
import * as GoldenEvents from "@sbx/journal/testing/GoldenEvents"

const fields = {
  size: Schema.Literals(["small", "large"]),
  note: Schema.optionalKey(Schema.String),
  parts: Schema.Array(Schema.Struct({ n: Schema.Int }))
}
const Weighed = { grams: Schema.Finite }
type Upcasts = { readonly [type: string]: ReadonlyArray<EventFamily.Upcast> }

const directories = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "golden-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
)

type Fields = Readonly<Record<string, Schema.Codec<unknown, unknown>>>

/** A family of these cases, held to the fixtures of the directory. */
const golden = (directory: string, cases: Readonly<Record<string, Fields>>, upcasts: Upcasts = {}) => {
  const structs = Object.entries(cases).map(([tag, of]) => Schema.TaggedStruct(tag, of))
  const union = Schema.Union(structs).pipe(Schema.toTaggedUnion("_tag"))
  return { union, directory, family: EventFamily.make({ category: "toy", union, upcasts }) }
}

const found = (options: ReturnType<typeof golden>) =>
  Effect.map(GoldenEvents.check(options), (findings) => findings.map(({ reason, name }) => `${reason} ${name}`))
const fixtures = (directory: string) => fs.readFileSync(path.join(directory, "toy.ndjson"), "utf8")
const editFixtures = (directory: string, edit: (text: string) => string) => {
  const [before, after] = [fixtures(directory), edit(fixtures(directory))]
  assert.notStrictEqual(after, before)
  fs.writeFileSync(path.join(directory, "toy.ndjson"), after)
}
const released = Effect.tap(directories, (directory) =>
  GoldenEvents.record(golden(directory, { Sorted: fields, Weighed }))
)

const changes: Readonly<Record<string, readonly [Fields, fact: string]>> = {
  "a further literal": [{ ...fields, size: Schema.Literals(["small", "large", "huge"]) }, "size (enum)"],
  "a new field that must be there": [{ ...fields, more: Schema.String }, "more is new and must be there"],
  "a field that is gone": [{ size: fields.size, parts: fields.parts }, "note is gone"],
  "an optional field that must be there now": [{ ...fields, note: Schema.String }, "note must be there now"],
  "a field that may be absent now": [{ ...fields, size: Schema.optionalKey(fields.size) }, "size may be absent now"],
  "another type": [{ ...fields, note: Schema.optionalKey(Schema.Finite) }, "note (type) was"],
  "a refinement": [{ ...fields, note: Schema.optionalKey(Schema.NonEmptyString) }, "note ("],
  "another type of a nested field": [
    { ...fields, parts: Schema.Array(Schema.Struct({ n: Schema.Finite })) },
    "parts[].n"
  ]
}

describe("GoldenEvents", () => {
  it.effect("records every literal and optional field, and finds nothing afterwards", () =>
    Effect.gen(function* () {
      const directory = yield* directories
      const options = golden(directory, { Sorted: fields, Weighed })
      assert.deepStrictEqual(yield* found(options), ["NotRecorded Sorted@1", "NotRecorded Weighed@1"])
      const names = ["Sorted@1", "Sorted@1 as 1", "Weighed@1", "Weighed@1 as 1"]
      assert.deepStrictEqual(yield* GoldenEvents.record(options), names)
      assert.deepStrictEqual(yield* found(options), [])
      const [first] = fixtures(directory).split("\n")
      assert.deepStrictEqual(JSON.parse(first ?? "").payloads, [
        { size: "small", note: "note 1", parts: [{ n: 1 }, { n: 2 }] },
        { size: "large", note: "note 2", parts: [{ n: 2 }, { n: 3 }] },
        { size: "small", parts: [] }
      ])
    })
  )

  it.effect("misses the fixture of a new type, and adds it without touching the others", () =>
    Effect.gen(function* () {
      const directory = yield* released
      const before = fixtures(directory)
      const options = golden(directory, { Sorted: fields, Weighed, Labelled: { label: Schema.String } })
      assert.deepStrictEqual(yield* found(options), ["NotRecorded Labelled@1"])
      assert.deepStrictEqual(yield* GoldenEvents.record(options), ["Labelled@1", "Labelled@1 as 1"])
      assert.isTrue(fixtures(directory).startsWith(before))
      const after = fixtures(directory)
      assert.deepStrictEqual(yield* GoldenEvents.record(options), [])
      assert.strictEqual(fixtures(directory), after)
    })
  )

  for (const [what, [changed, fact]] of Object.entries(changes)) {
    it.effect(`refuses ${what} under the same version`, () =>
      Effect.gen(function* () {
        const directory = yield* released
        const options = golden(directory, { Sorted: changed, Weighed })
        const finding = (yield* GoldenEvents.check(options)).find(({ reason }) => reason === "SchemaChanged")
        assert.include(finding?.fact, fact)
        const before = fixtures(directory)
        assert.deepStrictEqual(yield* GoldenEvents.record(options), [], "recording does not excuse it")
        assert.strictEqual(fixtures(directory), before)
      })
    )
  }

  it.effect("takes an optional field without a new version, once it is recorded, and holds to it from then on", () =>
    Effect.gen(function* () {
      const directory = yield* released
      const grown = (more: Schema.Codec<unknown, unknown>) =>
        golden(directory, { Sorted: { ...fields, more: Schema.optionalKey(more) }, Weighed })
      assert.deepStrictEqual(yield* found(grown(Schema.String)), ["NotRecorded Sorted@1"])
      assert.deepStrictEqual(yield* GoldenEvents.record(grown(Schema.String)), ["Sorted@1.2", "Sorted@1.2 as 1"])
      assert.deepStrictEqual(yield* found(grown(Schema.String)), [])
      assert.include(yield* found(grown(Schema.Finite)), "SchemaChanged Sorted@1.2")
    })
  )

  it.effect("holds a new version to the fixtures of the old one", () =>
    Effect.gen(function* () {
      const directory = yield* released
      const kilograms = { kilograms: Schema.Finite }
      const lift = (factor: number) => (payload: EventFamily.Fields) => ({
        kilograms: Number(payload["grams"]) / factor
      })
      const bumped = (upcast: EventFamily.Upcast) =>
        golden(directory, { Sorted: fields, Weighed: kilograms }, { Weighed: [upcast] })
      assert.deepStrictEqual(yield* found(bumped(lift(1000))), ["NotRecorded Weighed@2", "NotRecorded Weighed@1 as 2"])
      const names = ["Weighed@2", "Weighed@2 as 2", "Weighed@1 as 2"]
      assert.deepStrictEqual(yield* GoldenEvents.record(bumped(lift(1000))), names)
      assert.deepStrictEqual(yield* found(bumped(lift(1000))), [])
      assert.deepStrictEqual(yield* found(bumped(lift(10))), ["ReadingChanged Weighed@1 as 2"])
      const undecodable = bumped((payload) => ({ pounds: payload["grams"] ?? 0 }))
      assert.deepStrictEqual(yield* found(undecodable), ["Undecodable Weighed@1"])
    })
  )

  it.effect("notices a decoded value that changed where the stored form did not", () =>
    Effect.gen(function* () {
      const directory = yield* released
      const doubled = Schema.Finite.pipe(
        Schema.decodeTo(Schema.Finite, {
          decode: SchemaGetter.transform((n: number) => n * 2),
          encode: SchemaGetter.transform((n: number) => n / 2)
        })
      )
      const options = golden(directory, { Sorted: fields, Weighed: { grams: doubled } })
      assert.deepStrictEqual(yield* found(options), ["ReadingChanged Weighed@1 as 1"])
    })
  )

  it.effect("notices a removed fixture, an edited one and a type that is gone, and records none of them again", () =>
    Effect.gen(function* () {
      const directory = yield* released
      const options = golden(directory, { Sorted: fields, Weighed })
      const whole = fixtures(directory)
      assert.deepStrictEqual(yield* found(golden(directory, { Sorted: fields })), ["TypeGone Weighed@1"])
      editFixtures(directory, (text) => text.split("\n").slice(2).join("\n"))
      assert.deepStrictEqual(yield* found(options), ["Removed Sorted@1", "Removed Sorted@1 as 1"])
      const without = yield* found(golden(directory, { Weighed }))
      assert.include(without, "Removed Sorted@1", "also when the type went with it")
      assert.deepStrictEqual(yield* GoldenEvents.record(options), [])
      fs.writeFileSync(path.join(directory, "toy.ndjson"), whole)
      editFixtures(directory, (text) => text.replace("0.5", "0.75"))
      assert.include(yield* found(options), "Edited Weighed@1")
      fs.writeFileSync(path.join(directory, "toy.ndjson"), `${whole}{"_tag":\n`)
      assert.deepStrictEqual(yield* found(options), ["Edited line 5"])
      fs.rmSync(path.join(directory, "toy.sha256"))
      fs.rmSync(path.join(directory, "toy.ndjson"))
      const bumped = golden(directory, { Sorted: fields, Weighed }, { Weighed: [(payload) => payload] })
      yield* GoldenEvents.record(bumped)
      assert.deepStrictEqual(yield* found(bumped), ["Removed Weighed@1"], "an old version cannot be recorded later")
    })
  )

  it.effect("asks for an example where it cannot make one", () =>
    Effect.gen(function* () {
      const directory = yield* directories
      const options = golden(directory, { Tagged: { id: Schema.String.check(Schema.isPattern(/^id_[0-9]+$/)) } })
      const refused = yield* Effect.flip(GoldenEvents.record(options))
      assert.include(refused.message, "Give an event of this type in `examples`.")
      const examples = [{ _tag: "Tagged", id: "id_7" }]
      assert.deepStrictEqual(yield* GoldenEvents.record({ ...options, examples }), ["Tagged@1", "Tagged@1 as 1"])
      assert.deepStrictEqual(yield* found(options), [])
    })
  )

  it.effect("fails with what to do, and records only when the environment says so", () =>
    Effect.gen(function* () {
      const directory = yield* directories
      const options = golden(directory, { Weighed })
      const verify = (env: Record<string, string>) =>
        GoldenEvents.verify(options).pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env))
        )
      const refused = yield* Effect.flip(verify({}))
      assert.include(
        refused.message,
        "- Weighed@1: it has no fixture.\nAdd it: run this test once with SBX_RECORD_GOLDEN=true"
      )
      yield* verify({ [GoldenEvents.recordVariable]: "true" })
      yield* verify({})
    })
  )
})
