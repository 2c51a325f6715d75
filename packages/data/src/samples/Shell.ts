/** Shell samples: POSIX `sh` (dash, busybox ash); `digestStdin` needs `sha256sum` (coreutils or busybox). */
import { language } from "../CodeSample.ts"

export const shell = language({
  name: "shell",
  command: ["sh"],
  extension: "sh",
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
