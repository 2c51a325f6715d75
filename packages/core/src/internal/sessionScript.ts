/**
 * The programs of a session's shell and the requests that they read. POSIX sh only; `setsid`, where the image has it, gives each
 * command a session and process group of its own. Nothing of a request is parsed as shell text but what is quoted here.
 */

/** Name of the environment variable that marks every process of one command. */
export const commandMarker = "SBX_COMMAND"

/** Enters the directory asked for and looks the program up; `sbx_q` says why not. */
const enter = `[ -z "$sbx_d" ] || cd -- "$sbx_d" || sbx_q cwd
  case $sbx_c in
    '') ;;
    */*) [ -e "$sbx_c" ] || sbx_q missing; [ -f "$sbx_c" ] && [ -x "$sbx_c" ] || sbx_q denied ;;
    *) command -v "$sbx_c" >/dev/null || sbx_q missing ;;
  esac`

/** Reads a request into `sbx_a`: a line with the number of lines that follow, and the lines. */
const readRequest = `sbx_a=
  while [ "$sbx_t" -gt 0 ]; do
    IFS= read -r sbx_l || exit 0
    sbx_a="$sbx_a$sbx_l
"
    sbx_t=$((sbx_t - 1))
  done`

/**
 * What waits for the next request, in a kernel session of its own already, so that making one takes no time of a command's: it becomes
 * the command. It says `=<nonce> <pid>` before, or `?<nonce> <word>` why not; a request with input goes back to the shell, as
 * `!` and its text, because only the shell can feed it. At the end of the session's input it says nothing.
 */
export const standby = `sbx_q() { printf %s "?$sbx_n $1"; exit; }
sbx_r() {
  if [ "$3$4" != 00 ]; then printf %s "!$sbx_a"; exit; fi
  sbx_n=$1 sbx_d=$5 sbx_c=$6
  export ${commandMarker}="$2"
  shift 6
  ${enter}
  printf %s "=$sbx_n $$"
  unset PWD OLDPWD
  exec </dev/null >&8 2>&9 8>&- 9>&-
  exec "$@"
}
IFS= read -r sbx_t || exit 0
  ${readRequest}
eval "$sbx_a"`

/**
 * `$1` is the nonce of the readiness frame, `$2` the program of what stands by; without `setsid` the shell reads the requests itself.
 * The bytes of standard input follow a request's text. `read` takes byte for byte, so those bytes are left for `dd`, which with
 * `fullblock` takes no more than told; what a command leaves of its input is drained by `cat`. A frame, `<nonce><kind><text>.` on
 * both channels, ends a command's output. Descriptors 8 and 9 are the true outputs: the shell reports a child's death on 2, and
 * takes the child's pid through 1 (in the background it would know the pid, but the child would ignore SIGINT). What the child
 * leaves in its group is killed. Names begin with `sbx_`, so that no variable of the sandbox's environment is overwritten.
 */
export const script = `exec 8>&1 9>&2 2>/dev/null
unset CDPATH
sbx_f() { printf '%s' "$sbx_n$1$2." >&9; printf '%s' "$sbx_n$1$2." >&8; }
sbx_q() { printf %s "$1"; exit 127; }
sbx_x() {
  sbx_p=
  if [ -n "$sbx_s" ]; then
    sbx_l=$PWD
    cd -P /proc/self
    sbx_p=\${PWD##*/}
    cd -- "$sbx_l"
  fi
  ${enter}
  printf %s "$sbx_p."
  unset PWD OLDPWD
  export ${commandMarker}="$sbx_m"
  exec >&8 2>&9 8>&- 9>&-
  exec $sbx_s "$@"
}
sbx_g() {
  sbx_p=$(sbx_x "$@")
  sbx_e=$?
  case $sbx_p in
    *.) [ -z "$sbx_s" ] || kill -9 "-\${sbx_p%.}"
      return 0 ;;
    *) sbx_e=$sbx_p; return 1 ;;
  esac
}
sbx_o() { if [ "$1" = 0 ]; then sbx_f - "$sbx_e"; else sbx_f '?' "$sbx_e"; fi; }
sbx_j() {
  sbx_w=slow
  [ "$(printf ab | dd bs=2 count=1 iflag=fullblock)" != ab ] || sbx_w=fast
}
sbx_i() {
  if [ "$sbx_w" = fast ]; then
    [ "$sbx_b" = 0 ] || dd bs=65536 count="$sbx_b" iflag=fullblock
    [ "$sbx_z" = 0 ] || dd bs="$sbx_z" count=1 iflag=fullblock
  else dd bs=1 count=$((sbx_b * 65536 + sbx_z)); fi
}
sbx_r() {
  sbx_n=$1 sbx_m=$2 sbx_b=$3 sbx_z=$4 sbx_d=$5 sbx_c=$6
  shift 6
  if [ "$sbx_b$sbx_z" = 00 ]; then
    sbx_g "$@" </dev/null
    sbx_o "$?"
  else
    [ -n "$sbx_w" ] || sbx_j
    sbx_i | { sbx_g "$@"; sbx_y=$?; cat >/dev/null; sbx_o "$sbx_y"; }
  fi
}
sbx_v() {
  sbx_p=$(exec setsid -- sh -c "$sbx_h")
  sbx_e=$?
  sbx_n=\${sbx_p#?}
  sbx_n=\${sbx_n%% *}
  case $sbx_p in
    =*) kill -9 "-\${sbx_p##* }"; sbx_f - "$sbx_e" ;;
    '?'*) sbx_f '?' "\${sbx_p##* }" ;;
    '!'*) eval "\${sbx_p#?}" ;;
    *) exit 0 ;;
  esac
}
sbx_s=; sbx_w=; sbx_k=; sbx_h=$2
if command -v setsid >/dev/null; then sbx_s='setsid --'; sbx_k=own; fi
sbx_n=$1
sbx_f - "$sbx_k"
while [ -n "$sbx_s" ]; do sbx_v; done
while IFS= read -r sbx_t; do
  ${readRequest}
  eval "$sbx_a"
done`

export interface Request {
  /** Lower-case letters and digits. */
  readonly nonce: string
  /** Value of {@link commandMarker}. */
  readonly marker: string
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** Empty: the session's own. */
  readonly cwd: string
  readonly stdin: Uint8Array
}

const blockBytes = 65_536
const encoder = new TextEncoder()

/** One word of shell text, whatever it holds. */
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const framed = (text: string) => encoder.encode(`${text.split("\n").length}\n${text}\n`)

/**
 * A program is looked up before it is run, so that a missing one is told apart from one that exits with 127. Not with a PATH of
 * the command's own, by which `env` will look.
 */
const lookedUp = (name: string, env: Request["env"]) => (name.startsWith("-") || "PATH" in env ? "" : name)

/** Bytes for the shell's standard input. Short: the shell reads each byte of the text by a system call. */
export const requestBytes = ({ nonce, marker, argv, env, cwd, stdin }: Request): Uint8Array => {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const words = settings.length === 0 ? argv : ["env", ...settings, ...argv]
  const sizes = `${Math.floor(stdin.length / blockBytes)} ${stdin.length % blockBytes}`
  const head = `sbx_r ${nonce} ${marker} ${sizes} ${quote(cwd)} ${quote(lookedUp(argv[0] ?? "", env))}`
  return Buffer.concat([framed(`${head} ${words.map(quote).join(" ")}`), stdin])
}
