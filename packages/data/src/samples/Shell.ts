/** Shell samples: POSIX `sh` (dash, busybox ash); `digestStdin` needs `sha256sum` (coreutils or busybox). */
import { interpreter, language } from "../CodeSample.ts"

export const shell = language({
  name: "shell",
  toolchain: interpreter("sh"),
  extension: "sh",
  faulty: {
    source: "echo )\n",
    padding: "# padding",
    check: (path) => ["sh", "-n", path],
    // dash: "faulty.sh: 3: Syntax error"; busybox and bash: "faulty.sh: line 3: syntax error"
    complaint: /^(?<path>\S+): (?:line )?(?<line>\d+): /gm
  },
  programs: {
    // printf, not echo: echo eats "-n" and, in dash, expands backslashes (POSIX leaves both open).
    echoArguments: `for argument in "$@"; do
  printf '%s\\n' "$argument"
done
`,
    exitWith: `exit "$1"
`,
    writeStderr: `printf '%s\\n' "$1" >&2
`,
    digestStdin: `set -e
digest=$(sha256sum)
printf '%s\\n' "\${digest%% *}"
`
  }
})
