import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Templates from "../src/Templates.ts"
import * as Tree from "../src/Tree.ts"

/** The least that each template needs. */
const least: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "python-package": { name: "Sum-Tool" },
  "node-service": { name: "@team/greeter" },
  "go-module": { module: "example.com/tools/sum" },
  "rust-crate": { name: "sum-tool" },
  "c-program": { name: "sum-tool" },
  polyglot: {}
}

const render = Effect.fnUntraced(function* (name: string, values: Readonly<Record<string, string>>) {
  return yield* (yield* Templates.get(name)).render(values)
})

const text = (tree: Tree.Tree, path: string): string => {
  const entry = Option.getOrUndefined(Tree.find(tree, path))
  return entry?.kind === "file" ? new TextDecoder().decode(entry.content) : assert.fail(`no file ${path}`)
}

/** Template, variable, values that must be taken, values that must be refused. */
const rules: ReadonlyArray<readonly [string, string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
  [
    "python-package",
    "name",
    ["a", "Sum.Tool_2-x", "a".repeat(100)],
    ["", "1a", "-a", "a-", "a b", "é", "class", "Import", "unittest", "a/b", "a".repeat(101), "a\n"]
  ],
  ["python-package", "version", ["0.0.0", "10.20.30"], ["1", "1.0", "01.0.0", "1.0.0-a", "1.0.0\n", ""]],
  [
    "python-package",
    "description",
    ['"quoted" \\ é', "x".repeat(200)],
    ["", "x".repeat(201), "a\nb", "\x7f", "\ud800"]
  ],
  [
    "node-service",
    "name",
    ["a", "a.b-c_d~e", "@scope/a", "x".repeat(214)],
    ["", "A", ".a", "_a", "a b", "@scope", "@/a", "a/b", "node_modules", "favicon.ico", "http", "x".repeat(215)]
  ],
  ["node-service", "port", ["1", "65535"], ["0", "65536", "-1", "080", "1.5", "", "eighty"]],
  [
    "go-module",
    "module",
    ["example.com", "example.com/a/v2", "example.com/A_b~c.d"],
    [
      "",
      "fmt",
      "Example.com/a",
      "example.com/",
      "example.com//a",
      "example.com/..",
      "example.com/a b",
      "example.com/con"
    ]
  ],
  [
    "go-module",
    "module",
    ["example.com/v10"],
    ["example.com/v0", "example.com/v1", "example.com/a~1", "example.com/a."]
  ],
  [
    "rust-crate",
    "name",
    ["a", "a-b_C2", "x".repeat(64)],
    ["", "1a", "_", "a.b", "é", "fn", "test", "std", "core", "build", "x".repeat(65)]
  ],
  [
    "c-program",
    "name",
    ["a", "a-b_2"],
    ["", "A", "1a", "a/b", "../a", "all", "clean", "test", "a b", "$(id)", "x".repeat(65)]
  ],
  ["polyglot", "languages", ["c", "rust,python"], ["", "cobol", "c,c", "c,", " c"]],
  ["polyglot", "modulus", ["2", "1000000"], ["0", "1", "1000001", "7.5"]]
]

describe("Templates", () => {
  it.effect("refuse an unknown name and list what is known", () =>
    Effect.gen(function* () {
      for (const name of ["", "toString", "Polyglot"]) {
        const error = yield* Effect.flip(Templates.get(name))
        assert.strictEqual(error._tag, "UnknownTemplate")
      }
      assert.strictEqual(
        (yield* Effect.flip(Templates.get("java"))).message,
        'Could not find template "java".\n' +
          "Use one of: python-package, node-service, go-module, rust-crate, c-program, polyglot."
      )
    })
  )

  for (const { name, variables } of Templates.all) {
    it.effect(`render ${name} the same each time, and another tree for another description`, () =>
      Effect.gen(function* () {
        const values = least[name] ?? assert.fail(`no values for ${name}`)
        const project = yield* render(name, values)
        assert.strictEqual(project.template, name)
        assert.strictEqual(Tree.checksum(project.files), Tree.checksum((yield* render(name, values)).files))
        const other = yield* render(name, { ...values, description: "Another." })
        assert.notStrictEqual(Tree.checksum(project.files), Tree.checksum(other.files))
        assert.include(text(other.files, "README.md"), "Another.")
        for (const [command] of [...project.build, project.test]) {
          if (command !== "env") assert.include(project.tools, command)
        }
      })
    )

    it.effect(`refuse what ${name} misses or does not know`, () =>
      Effect.gen(function* () {
        const values = least[name] ?? {}
        const unknown = yield* Effect.flip(render(name, { ...values, colour: "red" }))
        assert.strictEqual(
          unknown.message,
          `Could not render template ${name}: variable "colour" does not exist.\n` +
            `Use some of: ${Object.keys(variables).join(", ")}.`
        )
        for (const key of Object.keys(values)) {
          const { [key]: _, ...rest } = values
          const error = yield* Effect.flip(render(name, rest))
          assert.deepInclude(error, { variable: key, reason: "missing", fact: "has no value" })
        }
      })
    )
  }

  for (const [name, variable, taken, refused] of rules) {
    it.effect(`hold ${variable} of ${name} to its rule: ${refused.length} refused, ${taken.length} taken`, () =>
      Effect.gen(function* () {
        for (const value of taken) yield* render(name, { ...least[name], [variable]: value })
        for (const value of refused) {
          const error = yield* Effect.flip(render(name, { ...least[name], [variable]: value }))
          assert.deepInclude(error, { _tag: "InvalidVariable", template: name, variable, reason: "invalid" }, value)
          assert.match(error.message, /^Could not render template [a-z-]+: variable "[a-z]+" .+\nGive .+\.$/s)
        }
      })
    )
  }

  it.effect("quote a description for its format", () =>
    Effect.gen(function* () {
      const description = 'say "hi" \\ é'
      const node = yield* render("node-service", { name: "a", description })
      const manifest: unknown = JSON.parse(text(node.files, "package.json"))
      assert.deepInclude(manifest, { name: "a", description })
      const rust = yield* render("rust-crate", { name: "a", description })
      assert.include(text(rust.files, "Cargo.toml"), 'description = "say \\"hi\\" \\\\ é"\n')
    })
  )

  it.effect("normalise a Python distribution's name to its module", () =>
    Effect.gen(function* () {
      const { files, run } = yield* render("python-package", { name: "Sum.-Tool" })
      assert.include(text(files, "src/sum_tool/__main__.py"), "from sum_tool import total")
      assert.strictEqual(run.at(-1), "sum_tool")
    })
  )

  it.effect("compute what a polyglot pipeline prints", () =>
    Effect.gen(function* () {
      const values = { languages: "c,python", count: "3", offset: "1", modulus: "10" }
      const { files, tools } = yield* render("polyglot", values)
      assert.deepStrictEqual(tools, ["sh", "cmp", "cc", "python3"])
      assert.strictEqual(text(files, "numbers.txt"), "0\n1\n4\n")
      // c: 1, 6, 1; python: 3, 13, 3
      assert.strictEqual(text(files, "expected.txt"), "3\n3\n3\n")
    })
  )
})
