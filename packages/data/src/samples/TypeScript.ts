/**
 * TypeScript samples: Node.js 22.18 or newer as `node`, which strips the types (nodejs.org/api/typescript.html).
 * Node checks no types; `compileError` needs the compiler, `tsc` 5 or newer, in a folder without a
 * `tsconfig.json` in it or above.
 */
import { interpreter, language } from "../CodeSample.ts"

export const typescript = language({
  name: "typescript",
  toolchain: interpreter("node"),
  extension: "mts",
  faulty: {
    source: 'export const count: number = "three"\n',
    padding: "// padding",
    check: (path) => ["tsc", "--noEmit", "--pretty", "false", path],
    // "faulty.mts(3,14): error TS2322: …"
    complaint: /^(?<path>\S+\.mts)\((?<line>\d+),\d+\): error TS\d+/gm
  },
  programs: {
    echoArguments: `const lines: ReadonlyArray<string> = process.argv.slice(2).map((argument: string): string => argument + "\\n")
process.stdout.write(lines.join(""))
`,
    exitWith: `const code: number = Number(process.argv[2])
process.exitCode = code
`,
    writeStderr: `const line: string = process.argv[2] ?? ""
process.stderr.write(line + "\\n")
`,
    digestStdin: `import { createHash, type Hash } from "node:crypto"

const hash: Hash = createHash("sha256")
for await (const chunk of process.stdin) hash.update(chunk as Uint8Array)
process.stdout.write(hash.digest("hex") + "\\n")
`
  }
})
