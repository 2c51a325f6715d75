import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as DistributionPackages from "../src/DistributionPackages.ts"
import { holdLock } from "../src/internal/privateEngine/fileLock.ts"
import { unpackPackages } from "../src/internal/privateEngine/unpackPackages.ts"
import { temporary } from "./privateEngineHarness.ts"

const place = temporary("packages")
afterAll(() => rmSync(place, { recursive: true, force: true }))

type Service = DistributionPackages.DistributionPackages["Service"]

/** A state root of one test's own; package lists are shared, because fetching them is most of the time. */
const packages = <A, E>(
  name: string,
  use: (service: Service) => Effect.Effect<A, E>,
  options: Partial<DistributionPackages.DistributionPackagesOptions> = {}
) =>
  Effect.flatMap(DistributionPackages.DistributionPackages, use).pipe(
    Effect.provide(
      DistributionPackages.layerWith({ stateRoot: `${place}/${name}`, cache: `${place}/cache`, ...options }).pipe(
        Layer.provide(NodeServices.layer)
      )
    )
  )

/** Small, and nothing that a host of these tests has. */
const small = "tini"
const noSources = 'Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "/dev/null";'
/** Without repeats, between which apt pauses: a refused connection is refused again. */
const deadProxy =
  'Acquire::http::Proxy "http://127.0.0.1:9"; Acquire::https::Proxy "http://127.0.0.1:9"; Acquire::Retries "0";'

describe("DistributionPackages", () => {
  it.live("says exactly what it would take, and takes nothing", () =>
    Effect.gen(function* () {
      const plan = yield* packages("plan", (service) => service.plan([small]))
      assert.deepStrictEqual(
        plan.packages.map(({ name }) => name),
        [small]
      )
      assert.match(plan.packages[0]?.version ?? "", /^\d/)
      assert.isAbove(plan.downloadBytes, 10_000)
      assert.deepStrictEqual(plan.warnings, [])
      assert.deepStrictEqual(
        readdirSync(`${place}/cache/archives`).filter((file) => file.endsWith(".deb")),
        []
      )
    })
  )

  it.live("refuses to take packages when told so, with the commands that would help", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        packages("refused", (service) => service.ensure(["docker.io"], { install: false }))
      )
      assert(error._tag === "InstallRefused", String(error))
      assert.include(error.missing, "docker.io")
      assert.deepStrictEqual(error.commands, [
        "apt-get update",
        "systemctl mask docker.service docker.socket containerd.service",
        "apt-get install --yes --no-install-recommends docker.io"
      ])
      assert.isFalse(existsSync(`${place}/refused/packages/docker.io.json`))
    })
  )

  it.live("unpacks once, with progress, and answers later calls from its stamp without apt", () =>
    Effect.gen(function* () {
      const phases: Array<string> = []
      const onProgress = ({ phase }: DistributionPackages.PackageProgress) => Effect.sync(() => void phases.push(phase))
      const first = yield* packages("once", (service) => service.ensure([small], { onProgress }))
      assert.isTrue(existsSync(`${first.prefix}/usr/bin/tini`))
      assert.deepStrictEqual([...new Set(phases)], ["resolving", "downloading", "unpacking"])
      const again = yield* packages("once", (service) => service.ensure([small]), { programs: "/nowhere" })
      assert.deepStrictEqual(again, first)
      // A prefix removed by hand is noticed, and what an interrupted unpacking left is cleared away.
      rmSync(first.prefix, { recursive: true })
      mkdirSync(`${place}/once/packages/unpacking-old/root`, { recursive: true })
      yield* packages("once", (service) => service.ensure([small]))
      assert.isTrue(existsSync(`${first.prefix}/usr/bin/tini`))
      assert.isFalse(existsSync(`${place}/once/packages/unpacking-old`))
    })
  )

  it.live("takes nothing when the host has the package", () =>
    Effect.gen(function* () {
      const unpacked = yield* packages("host", (service) => service.ensure(["dpkg"], { install: false }))
      assert.deepStrictEqual(unpacked.packages, [])
    })
  )

  it.live("does with the sources that work, warns of the others, and repeats after stale lists", () =>
    Effect.gen(function* () {
      const parts = `${place}/parts`
      mkdirSync(parts, { recursive: true })
      const host = readdirSync("/etc/apt/sources.list.d").filter((file) => /\.(?:list|sources)$/.test(file))
      for (const file of host) writeFileSync(`${parts}/${file}`, readFileSync(`/etc/apt/sources.list.d/${file}`))
      writeFileSync(`${parts}/dead.list`, "deb [trusted=yes] http://127.0.0.1:9/debian stable main\n")
      const options = { cache: `${place}/cache-dead`, aptConfig: `Dir::Etc::sourceparts "${parts}";` }
      const plan = yield* packages("dead", (service) => service.plan([small]), options)
      assert.strictEqual(plan.packages.length, 1)
      assert.include(plan.warnings.join("\n"), "127.0.0.1:9")
    })
  )

  it.live("names a package that the distribution lacks", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(packages("lacks", (service) => service.ensure(["no-such-package-sbx"])))
      assert(error._tag === "PackageUnavailable", String(error))
      assert.include(error.message, "Unable to locate package no-such-package-sbx")
    })
  )

  it.live("tells missing sources from a missing package", () =>
    Effect.gen(function* () {
      const options = { cache: `${place}/cache-none`, aptConfig: noSources }
      const error = yield* Effect.flip(packages("none", (service) => service.ensure([small]), options))
      assert.strictEqual(error._tag, "NoPackageSource")
      const sources = yield* Effect.flip(packages("none", (service) => service.sources, options))
      assert.strictEqual(sources._tag, "NoPackageSource")
    })
  )

  it.live("fails when the network goes away before the download, and leaves no prefix", () =>
    Effect.gen(function* () {
      const options = { aptConfig: `Dir::Cache::archives "${place}/empty/"; ${deadProxy}` }
      mkdirSync(`${place}/empty/partial`, { recursive: true })
      rmSync(`${place}/cache/archives`, { recursive: true, force: true })
      const error = yield* Effect.flip(packages("offline", (service) => service.ensure([small]), options))
      assert(error._tag === "PackageFetchFailed", String(error))
      assert.strictEqual(error.step, "download")
      assert.deepStrictEqual(readdirSync(`${place}/offline/packages`), [])
    })
  )

  it.live("refuses a host without apt", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        packages("noapt", (service) => service.ensure([small]), { programs: "/nowhere" })
      )
      assert(error._tag === "NotDebian", String(error))
      assert.include(error.message, "there is no apt-get")
    })
  )

  it.live("lists the distribution's own sources", () =>
    Effect.gen(function* () {
      const sources = yield* packages("sources", (service) => service.sources)
      assert.isAbove(sources.length, 0)
      for (const source of sources) assert.match(source, /^deb \S+ \S+ \S+$/)
    })
  )
})

describe("unpackPackages", () => {
  it.live("leaves no prefix when a file is missing or broken", () =>
    Effect.gen(function* () {
      const archives = `${place}/broken`
      mkdirSync(archives, { recursive: true })
      writeFileSync(`${archives}/bad_1.0_all.deb`, "not a package")
      for (const name of ["bad", "absent"]) {
        const prefix = `${place}/broken-prefix/${name}`
        const error = yield* Effect.flip(unpackPackages(archives, [{ name, version: "1.0" }], prefix))
        assert.strictEqual(error._tag, "UnpackFailed")
        assert.deepStrictEqual(readdirSync(`${place}/broken-prefix`), [])
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

describe("holdLock", () => {
  const file = `${place}/lock`
  const attempt = (mode: "exclusive" | "shared") => Effect.exit(Effect.scoped(holdLock(file, mode, "200 millis")))

  it.live("keeps others out until its scope closes, and lets sharers in together", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* holdLock(file, "exclusive", "1 second").pipe(Scope.provide(scope))
      const refused = yield* Effect.flip(Effect.scoped(holdLock(file, "shared", "200 millis")))
      assert.strictEqual(refused._tag, "LockTimeout")
      yield* Scope.close(scope, Exit.void)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* holdLock(file, "shared", "1 second")
          assert.isTrue(Exit.isSuccess(yield* attempt("shared")))
          assert.isTrue(Exit.isFailure(yield* attempt("exclusive")))
        })
      )
      assert.isTrue(Exit.isSuccess(yield* attempt("exclusive")))
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
