import { rmSync, statSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Docker from "../src/Docker.ts"
import { Engine } from "../src/Engine.ts"
import * as ImageBuilder from "../src/ImageBuilder.ts"
import * as ImageRecipe from "../src/ImageRecipe.ts"
import { base } from "../src/recipes/Base.ts"
import { tiny } from "../src/recipes/Tiny.ts"
import { api, ownEngine, packagesLayer, packagesRoot, removeEngines, sh, temporary } from "./privateEngineHarness.ts"

const own = ownEngine("images")
const images = temporary("image-tars")

beforeAll(() => Effect.runPromise(own.up), 180_000)
afterAll(async () => {
  await removeEngines()
  rmSync(images, { recursive: true, force: true })
}, 60_000)

const dockerLayer = Docker.layer({ kind: "private", address: `unix://${own.paths.socket}` })

type Use<A, E> = Effect.Effect<A, E, ImageBuilder.ImageBuilder | Engine>

const withBuilder = <A, E>(use: Use<A, E>, stateRoot = images) =>
  use.pipe(
    Effect.provide(
      ImageBuilder.layerWith({ stateRoot }).pipe(Layer.provideMerge(dockerLayer), Layer.provide(packagesLayer))
    )
  )

const ensure = (recipe: ImageRecipe.ImageRecipe, options?: ImageBuilder.BuildOptions) =>
  Effect.flatMap(ImageBuilder.ImageBuilder, (builder) => builder.ensure(recipe, options))

const tarOf = (stateRoot: string, recipe: ImageRecipe.ImageRecipe) =>
  `${stateRoot}/images/${ImageRecipe.reference(recipe).replace("sbx/", "").replace(":", "-")}.tar`

/** Lines of `tar -tv` with a setuid or setgid bit. */
const setidFiles = (tar: string) =>
  sh('tar --numeric-owner -tvf "$1"', tar)
    .split("\n")
    .filter((line) => /^[^ ]{3}[sS]|^[^ ]{6}[sS]/.test(line))

/** Runs a command in a container without network as a sandbox's uid; its exit code and output. */
const runIn = (reference: string, argv: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const spec = { Image: reference, Cmd: argv, User: "100007:100007", HostConfig: { NetworkMode: "none" }, Tty: true }
    const created = yield* api(own.paths.socket, "POST", "/containers/create", spec)
    const { Id } = JSON.parse(created.body) as { readonly Id: string }
    yield* api(own.paths.socket, "POST", `/containers/${Id}/start`)
    const waited = yield* api(own.paths.socket, "POST", `/containers/${Id}/wait`)
    const logs = yield* api(own.paths.socket, "GET", `/containers/${Id}/logs?stdout=1`)
    yield* api(own.paths.socket, "DELETE", `/containers/${Id}?force=true`)
    const { StatusCode } = JSON.parse(waited.body) as { readonly StatusCode: number }
    return { exitCode: StatusCode, output: logs.body.replaceAll("\r", "").trim() }
  })

describe("ImageBuilder with tiny", () => {
  it.live("builds once for several callers, and answers from the tag afterwards", () =>
    withBuilder(
      Effect.gen(function* () {
        const refs = yield* Effect.all([ensure(tiny), ensure(tiny), ensure(tiny)], { concurrency: "unbounded" })
        assert.deepStrictEqual(
          refs.map(({ origin }) => origin).toSorted((a, b) => (a < b ? -1 : 1)),
          ["built", "present", "present"]
        )
        assert.strictEqual(new Set(refs.map(({ imageId }) => imageId)).size, 1)
        const { mtimeMs } = statSync(tarOf(images, tiny))
        assert.strictEqual((yield* ensure(tiny)).origin, "present")
        assert.strictEqual(statSync(tarOf(images, tiny)).mtimeMs, mtimeMs)
      })
    )
  )

  it.live("imports the kept root file system into an engine that lost the image", () =>
    withBuilder(
      Effect.gen(function* () {
        const engine = yield* Engine
        yield* engine.removeImage(ImageRecipe.reference(tiny))
        const phases: Array<string> = []
        const ref = yield* ensure(tiny, { onProgress: ({ phase }) => Effect.sync(() => void phases.push(phase)) })
        assert.strictEqual(ref.origin, "imported")
        assert.deepStrictEqual(phases, ["importing"])
        const info = yield* engine.inspectImage(ref.reference)
        assert.strictEqual(info.labels["dev.sbx.recipe.digest"], ImageRecipe.digest(tiny))
      })
    )
  )

  it.live("gives a sandbox uid a name, a writable workspace and all applets, and no setid file", () =>
    Effect.gen(function* () {
      const script =
        "id -un && pwd && touch /workspace/x /tmp/x && ! touch /x 2>/dev/null && wget --help 2>&1 | head -1"
      const { exitCode, output } = yield* runIn(ImageRecipe.reference(tiny), ["sh", "-c", script])
      assert.strictEqual(exitCode, 0, output)
      assert.match(output, /^sbx100007\n\/workspace\nBusyBox v/)
      assert.deepStrictEqual(setidFiles(tarOf(images, tiny)), [])
      assert.isBelow(statSync(tarOf(images, tiny)).size, 4_000_000)
    })
  )
})

describe("ImageBuilder with base", () => {
  it.live("runs python and perl, is slim, and has no setid file", () =>
    withBuilder(
      Effect.gen(function* () {
        const ref = yield* ensure(base)
        assert.strictEqual(ref.reference, ImageRecipe.reference(base))
        const python = "import json, sqlite3, ssl, getpass, os; print(getpass.getuser(), os.getcwd())"
        const script = `python3 -c '${python}' && perl -e 'print 6*7' && ls /usr/share/doc /var/lib/apt/lists | wc -l`
        const { exitCode, output } = yield* runIn(ref.reference, ["sh", "-c", script])
        assert.strictEqual(exitCode, 0, output)
        assert.match(output, /^sbx100007 \/workspace\n42/)
        const tar = tarOf(packagesRoot, base)
        assert.deepStrictEqual(setidFiles(tar), [])
        // The check can see: the bits that Debian sets are found in an archive that keeps them.
        assert.isAbove(setidFiles(setidControl(images)).length, 0)
        assert.isBelow(statSync(tar).size, 150_000_000)
      }),
      packagesRoot
    )
  )
})

const setidControl = (folder: string): string => {
  sh('cd "$1" && touch suid && chmod 4755 suid && tar -cf control.tar suid', folder)
  return `${folder}/control.tar`
}

describe("ImageBuilder that cannot build", () => {
  it.live("says what mmdebstrap said about a package that does not exist, and keeps no tar", () =>
    withBuilder(
      Effect.gen(function* () {
        const recipe = { ...base, name: "broken", packages: ["no-such-package-sbx"] }
        const error = yield* Effect.flip(ensure(recipe))
        assert(error._tag === "ImageBuildFailed", String(error))
        assert.include(error.message, "no-such-package-sbx")
        assert.throws(() => statSync(tarOf(images, recipe)))
      })
    )
  )

  it.live("needs root for Debian recipes and says what else would do", () =>
    withBuilder(
      Effect.gen(function* () {
        const getuid = vi.spyOn(process, "getuid").mockReturnValue(1000)
        const recipe = { ...base, name: "other" }
        const error = yield* Effect.flip(ensure(recipe)).pipe(Effect.ensuring(Effect.sync(() => getuid.mockRestore())))
        assert.strictEqual(error._tag, "ImageBuildUnsupported")
        assert.include(error.message, "./sbx images dockerfile other | docker build")
      })
    )
  )
})
