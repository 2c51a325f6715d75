/** Laws of images, networks, volumes and events. */
import { assert } from "@effect/vitest"
import { Clock, Effect, Stream } from "effect"
import type { EngineEvent } from "../../Engine.ts"
import type { Law } from "./contractFixture.ts"
import { container, Fixture, run, running, runProgram } from "./contractFixture.ts"
import { tar } from "./tar.ts"

const network = (internal = true) =>
  Effect.gen(function* () {
    const { engine, labels, name } = yield* Fixture
    const called = name("net")
    const id = yield* Effect.acquireRelease(engine.createNetwork({ name: called, internal, labels }), (made) =>
      Effect.orDie(engine.removeNetwork(made))
    )
    return { id, name: called }
  })

const volume = (driverOptions?: Record<string, string>) =>
  Effect.gen(function* () {
    const { engine, labels, name } = yield* Fixture
    return yield* Effect.acquireRelease(
      engine.createVolume({ name: name("vol"), labels, ...(driverOptions && { driverOptions }) }),
      (made) => Effect.orDie(engine.removeVolume(made.name))
    )
  })

export const objectLaws: Readonly<Record<string, Law>> = {
  "finds an image by reference and by id, and lists it": Effect.gen(function* () {
    const { engine, image } = yield* Fixture
    const found = yield* engine.inspectImage(image)
    assert.strictEqual((yield* engine.inspectImage(found.id)).id, found.id)
    assert.isAbove(found.sizeBytes, 0)
    assert.include(
      (yield* engine.listImages({})).map(({ id }) => id),
      found.id
    )
    const missing = yield* Effect.flip(engine.inspectImage("sbx-test/absent:1"))
    assert.deepInclude(missing, { _tag: "ObjectNotFound", kind: "image" })
  }),

  "imports a root file system, keeps it while used, removes it twice": Effect.gen(function* () {
    const { engine, labels } = yield* Fixture
    const reference = `sbx-test/import:${labels["sbx.test"]}`
    const mark = `sbx.test=${labels["sbx.test"]}`
    yield* Effect.addFinalizer(() => Effect.orDie(engine.removeImage(reference)))
    const id = yield* engine.importImage(Stream.make(tar([{ name: "hello", text: "x" }])), {
      reference,
      changes: [`LABEL ${mark}`, 'CMD ["/hello"]']
    })
    assert.deepInclude(yield* engine.inspectImage(reference), { id, labels })
    assert.deepStrictEqual(
      (yield* engine.listImages(labels)).map((one) => one.id),
      [id]
    )
    const user = yield* container({ image: reference, command: ["/hello"] })
    assert.deepInclude(yield* Effect.flip(engine.removeImage(reference)), { _tag: "EngineConflict", reason: "in-use" })
    yield* engine.removeContainer(user)
    yield* engine.removeImage(reference)
    yield* engine.removeImage(reference)
  }),

  "refuses to import what is no tar, or with an unknown change": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const bad = yield* Effect.flip(
      engine.importImage(Stream.make(tar([{ name: "a", text: "b" }])), {
        reference: "sbx-test/bad:1",
        changes: ["NONSENSE x"]
      })
    )
    assert.strictEqual(bad._tag, "InvalidRequest")
    const noTar = yield* Effect.flip(
      engine.importImage(Stream.make(Buffer.alloc(2048, "x")), { reference: "sbx-test/bad:1", changes: [] })
    )
    assert.include(["EngineFailure", "InvalidRequest"], noTar._tag)
    yield* engine.removeImage("sbx-test/bad:1")
  }),

  "creates a network once, lists it, removes it twice": Effect.gen(function* () {
    const { engine, labels } = yield* Fixture
    const made = yield* network()
    const again = yield* Effect.flip(engine.createNetwork({ name: made.name, internal: true, labels }))
    assert.deepInclude(again, { _tag: "EngineConflict", reason: "name-in-use" })
    const listed = (yield* engine.listNetworks(labels)).find(({ id }) => id === made.id)
    assert.deepInclude(listed, { name: made.name, driver: "bridge", internal: true, labels })
    yield* engine.removeNetwork(made.id)
    yield* engine.removeNetwork(made.id)
  }),

  "connects and disconnects a container, and keeps a network in use": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const [first, second] = [yield* network(), yield* network()]
    const id = yield* running({ host: { networkMode: first.name }, networkAliases: ["db"] })
    yield* engine.connectNetwork(second.id, id, ["cache"])
    const seen = yield* engine.inspectContainer(id)
    assert.include(seen.networks[first.name]?.aliases ?? [], "db")
    assert.include(seen.networks[second.name]?.aliases ?? [], "cache")
    assert.match(seen.networks[second.name]?.ipAddress ?? "", /^\d+\./)
    assert.deepInclude(yield* Effect.flip(engine.removeNetwork(second.id)), {
      _tag: "EngineConflict",
      reason: "in-use"
    })
    yield* engine.disconnectNetwork(second.id, id)
    assert.notProperty((yield* engine.inspectContainer(id)).networks, second.name)
    const noNetwork = yield* Effect.flip(engine.connectNetwork("sbx-test-absent", id, []))
    assert.deepInclude(noNetwork, { _tag: "ObjectNotFound", kind: "network" })
    const noContainer = yield* Effect.flip(engine.connectNetwork(second.id, "sbx-test-absent", []))
    assert.deepInclude(noContainer, { _tag: "ObjectNotFound", kind: "container" })
  }),

  "creates the same volume again, but not another one of its name": Effect.gen(function* () {
    const { engine, labels } = yield* Fixture
    const made = yield* volume()
    assert.strictEqual((yield* engine.createVolume({ name: made.name, labels })).name, made.name)
    const other = yield* Effect.flip(engine.createVolume({ name: made.name, labels: { ...labels, more: "1" } }))
    assert.deepInclude(other, { _tag: "EngineConflict", reason: "name-in-use" })
    assert.deepInclude(yield* engine.inspectVolume(made.name), { driver: "local", labels })
    assert.include(
      (yield* engine.listVolumes(labels)).map(({ name }) => name),
      made.name
    )
    assert.deepInclude(yield* Effect.flip(engine.inspectVolume("sbx-test-absent")), {
      _tag: "ObjectNotFound",
      kind: "volume"
    })
  }),

  "makes a container's volume as it was asked to, and takes one that exists as it is": Effect.gen(function* () {
    const { engine, labels, name } = yield* Fixture
    const source = name("made")
    yield* Effect.addFinalizer(() => Effect.ignore(engine.removeVolume(source)))
    const asked = { labels, driverOptions: { type: "tmpfs", device: "tmpfs", o: "size=1m" } }
    const mount = { kind: "volume", source, target: "/data", create: asked } as const
    const first = yield* running({ host: { mounts: [mount] } })
    const made = yield* engine.inspectVolume(source)
    assert.deepInclude(made, { driver: "local", labels, options: asked.driverOptions })
    yield* engine.removeContainer(first)
    const other = { labels: { ...labels, more: "1" }, driverOptions: { type: "tmpfs", device: "tmpfs", o: "size=2m" } }
    const second = yield* running({ host: { mounts: [{ ...mount, create: other }] } })
    assert.deepStrictEqual(yield* engine.inspectVolume(source), made)
    yield* engine.removeContainer(second)
    yield* engine.removeVolume(source)
  }),

  "shares a volume's content and keeps it while used": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const made = yield* volume()
    const mounts = [{ kind: "volume", source: made.name, target: "/data" }] as const
    const writer = yield* running({ host: { mounts } })
    yield* runProgram(writer, ({ writesLine }) => writesLine("/data/f", "kept"))
    const reader = yield* running({ host: { mounts: [{ ...mounts[0], readOnly: true }] } })
    assert.strictEqual((yield* runProgram(reader, ({ reads }) => reads("/data/f"))).stdout, "kept\n")
    assert.isAbove((yield* runProgram(reader, ({ writesLine }) => writesLine("/data/g", "x"))).exitCode, 0)
    assert.deepInclude((yield* engine.inspectContainer(reader)).mounts[0], {
      kind: "volume",
      source: made.name,
      readOnly: true
    })
    assert.deepInclude(yield* Effect.flip(engine.removeVolume(made.name)), { _tag: "EngineConflict", reason: "in-use" })
    yield* engine.removeContainer(writer)
    yield* engine.removeContainer(reader)
    yield* engine.removeVolume(made.name)
    yield* engine.removeVolume(made.name)
  }),

  "refuses volume options that it does not know": Effect.gen(function* () {
    const { engine, name } = yield* Fixture
    const called = name("bad")
    yield* Effect.addFinalizer(() => Effect.orDie(engine.removeVolume(called)))
    const error = yield* Effect.flip(
      engine.createVolume({ name: called, labels: {}, driverOptions: { nonsense: "1" } })
    )
    assert.deepInclude(error, { _tag: "InvalidRequest", reason: "bad-parameter" })
  }),

  "tells events live and again since a time, for containers with the labels": Effect.gen(function* () {
    const { engine, labels, programs } = yield* Fixture
    const mark = { ...labels, "sbx.test.case": "events" }
    const since = yield* Clock.currentTimeMillis
    yield* running() // another, without the mark
    const id = yield* running({ labels: mark, command: programs.exits(5) })
    yield* engine.waitContainer(id)
    const take = engine.events({ sinceMillis: since - 1000, labels: mark }).pipe(
      Stream.takeUntil(({ action }) => action === "die"),
      Stream.runCollect,
      Effect.timeout("10 seconds")
    )
    const events: ReadonlyArray<EngineEvent> = yield* take
    assert.deepStrictEqual(
      events.map(({ action }) => action),
      ["create", "start", "die"]
    )
    const die = events.at(-1)
    assert.deepInclude(die, { type: "container", actorId: id })
    assert.strictEqual(die?.attributes["exitCode"], "5")
    assert.deepStrictEqual(yield* take, events)
    const nanos = events.map(({ timeNano }) => timeNano)
    assert.deepStrictEqual(nanos.toSorted(), nanos)
  }),

  "tells only the actions asked for": Effect.gen(function* () {
    const { engine, labels, programs } = yield* Fixture
    const mark = { ...labels, "sbx.test.case": "actions" }
    const id = yield* running({ labels: mark })
    yield* run(id, { argv: programs.exits(7) })
    yield* engine.removeContainer(id)
    const sinceMillis = (yield* Clock.currentTimeMillis) - 60_000
    const events = yield* engine.events({ sinceMillis, labels: mark, actions: ["exec_die", "destroy"] }).pipe(
      Stream.takeUntil(({ action }) => action === "destroy"),
      Stream.runCollect,
      Effect.timeout("10 seconds")
    )
    assert.deepStrictEqual(
      events.map(({ action, attributes }) => [action, attributes["exitCode"]]),
      [
        ["exec_die", "7"],
        ["destroy", undefined]
      ]
    )
  }),

  "tells the command of an exec in the event's detail": Effect.gen(function* () {
    const { engine, labels, programs } = yield* Fixture
    const mark = { ...labels, "sbx.test.case": "exec-event" }
    const id = yield* running({ labels: mark })
    yield* run(id, { argv: programs.exits(6) })
    const events = yield* engine.events({ sinceMillis: (yield* Clock.currentTimeMillis) - 60_000, labels: mark }).pipe(
      Stream.takeUntil(({ action }) => action === "exec_die"),
      Stream.runCollect,
      Effect.timeout("10 seconds")
    )
    const created = events.find(({ action }) => action === "exec_create")
    assert.strictEqual(created?.detail, programs.exits(6).join(" "))
    assert.strictEqual(events.at(-1)?.attributes["exitCode"], "6")
  })
}
