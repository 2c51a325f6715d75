/**
 * busybox or any POSIX shell: reads, lists, opens for write and signals with builtins. It cannot make system calls or sockets,
 * so behavioural checks stay notRun there; error numbers come from the C locale's texts.
 */
import { maxLines, missingFacts, scratchName } from "../internal/script.ts"
import type { Probe } from "../Probe.ts"
import type { ProbeProgram, ProbeVehicle } from "../ProbeVehicle.ts"

/** A failed redirection on the special builtin `:` ends dash, hence the subshells. */
const prelude = (nonce: string): string => `N=${nonce}; D=0
put() { printf '%s %s %s %s\\n' "$N" "$1" "$2" "$3"; }
msg() { IFS= read -r M <<EOF_MSG
$2
EOF_MSG
put "$1" msg "$M"; }
lines() { c=0; while IFS= read -r l || [ -n "$l" ]; do [ $c -ge ${maxLines} ] && { put "$1" end cut; return; }; put "$1" t "$l"; c=$((c+1)); done; put "$1" end all; }
readtext() { if e=$( ( : < "$2" ) 2>&1 ); then lines "$1" < "$2"; else msg "$1" "$e"; fi; }
readlnk() { if [ ! -L "$2" ]; then put "$1" msg 'not a link here: No such file or directory'; return; fi
  if e=$(readlink "$2" 2>&1); then put "$1" t "$e"; put "$1" end all; else msg "$1" "\${e:-Permission denied}"; fi; }
listdir() { if [ ! -d "$2" ]; then put "$1" msg 'No such file or directory'; return; fi
  for f in "$2"/* "$2"/.[!.]*; do if [ -e "$f" ] || [ -L "$f" ]; then put "$1" t "\${f##*/}"; fi; done; put "$1" end all; }
openw() { if [ ! -e "$2" ]; then put "$1" msg 'No such file or directory'; return; fi
  if e=$( ( : >> "$2" ) 2>&1 ); then put "$1" ok 0; else msg "$1" "$e"; fi; }
create() { if e=$( ( set -C; : > "$2" ) 2>&1 ); then rm -f "$2"; put "$1" ok 0; else msg "$1" "$e"; fi; }
sig() { if e=$( ( kill -0 "$2" ) 2>&1 ); then put "$1" ok 0; else msg "$1" "$e"; fi; }
`

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

const call = (index: number, probe: Probe, program: ProbeProgram): string => {
  switch (probe._tag) {
    case "ReadText":
      return `readtext ${index} ${quote(probe.path)}`
    case "ReadLink":
      return `readlnk ${index} ${quote(probe.path)}`
    case "ListDirectory":
      return `listdir ${index} ${quote(probe.path)}`
    case "OpenWrite":
      return `openw ${index} ${quote(probe.path)}`
    case "CreateFile":
      return `create ${index} ${quote(`${probe.directory}/${scratchName(program)}`)}`
    case "SignalHostPid":
      return `sig ${index} ${program.hostPid}`
    case "OpenSocket":
    case "Connect":
    case "Syscall":
      return ":"
  }
}

const refusal: ProbeVehicle["refusal"] = (probe, program) => {
  switch (probe._tag) {
    case "OpenSocket":
    case "Connect":
    case "Syscall":
      return "a shell cannot make system calls or sockets"
    default:
      return missingFacts(probe, program)
  }
}

export const posixShell: ProbeVehicle = {
  name: "sh",
  argv: ["sh"],
  env: { LC_ALL: "C" },
  refusal,
  script: (program) => {
    const calls = program.probes.flatMap((probe, index) =>
      refusal(probe, program) === undefined ? [call(index, probe, program)] : []
    )
    return `${prelude(program.nonce)}${calls.join("\n")}\nput - done ${calls.length}\nexit 0\n`
  }
}
