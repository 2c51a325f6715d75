/** JavaScript samples: Node.js 18 or newer as `node`, CommonJS, no packages. */
import { interpreter, language } from "../CodeSample.ts"

export const javascript = language({
  name: "javascript",
  toolchain: interpreter("node"),
  extension: "cjs",
  faulty: {
    source: "const = 1\n",
    padding: "// padding",
    check: (path) => ["node", "--check", path],
    // "/folder/faulty.cjs:3", then the line itself
    complaint: /^(?<path>\S+\.cjs):(?<line>\d+)$/gm
  },
  programs: {
    // One write, and the code set instead of process.exit(): a pipe takes the text after the last statement.
    echoArguments: `process.stdout.write(process.argv.slice(2).map((argument) => argument + "\\n").join(""))
`,
    exitWith: `process.exitCode = Number(process.argv[2])
`,
    writeStderr: `process.stderr.write(process.argv[2] + "\\n")
`,
    digestStdin: `const { createHash } = require("node:crypto")

const hash = createHash("sha256")
process.stdin.on("data", (chunk) => hash.update(chunk))
process.stdin.on("end", () => process.stdout.write(hash.digest("hex") + "\\n"))
`
  }
})
