/**
 * The programs that the engine contract runs in containers, by name. An engine that executes gets them as shell texts; one that
 * simulates registers something that behaves so under whatever command line it likes.
 */

/** A command line. Its words, joined by a space, are what process lists and events show. */
export type Argv = readonly [string, ...Array<string>]

export interface ContractPrograms {
  /** Does nothing for many minutes and reacts to no signal. One process. */
  readonly sleeps: Argv
  /** Ends at once with a code. */
  readonly exits: (code: number) => Argv
  /** Prints `ready` and a newline once it is ready to end with 42 on SIGTERM; else it goes on. */
  readonly endsOnTerm: Argv
  /** Ends with 7 when it has read a line of standard input. */
  readonly waitsForLine: Argv
  /** `out` to standard output, `err` to standard error, each with a newline; ends with 3. */
  readonly speaksAndFails: Argv
  /** `<$TOKEN> <working folder> <uid>:<gid>` and a newline. */
  readonly tellsPlace: Argv
  /** Copies its input to its output, then prints `end` and a newline. */
  readonly copiesInput: Argv
  /** `one` and `three` to standard output, `two` to standard error, each with a newline. */
  readonly speaksOnBoth: Argv
  /** `one`, `two`, `three` to standard output, each with a newline. */
  readonly speaksThrice: Argv
  /** `first`, then waits until a file exists, then `last`, each with a newline. */
  readonly waitsForFile: (path: string) => Argv
  /** A file's content to standard output. */
  readonly reads: (path: string) => Argv
  /** Writes a line into a file; fails with a code that is not 0 where it may not. */
  readonly writesLine: (path: string, line: string) => Argv
  /** Makes a symbolic link `link` to `a.txt` and a named pipe `pipe` in a folder. */
  readonly makesLinkAndPipe: (folder: string) => Argv
  /** Writes so many zero bytes into a file. */
  readonly writesZeros: (path: string, bytes: number) => Argv
  /** A path where nothing is. */
  readonly absent: Argv
  /** A path that is a folder. */
  readonly folder: Argv
}

const sh = (script: string): Argv => ["sh", "-c", script]

/** For images with a POSIX shell, cat, head, id, ln, mkfifo and sleep. */
export const shellPrograms: ContractPrograms = {
  sleeps: ["sleep", "1234"],
  exits: (code) => sh(`exit ${code}`),
  // The trap is set before anything is printed.
  endsOnTerm: sh("trap 'exit 42' TERM; echo ready; while :; do sleep 0.1; done"),
  waitsForLine: sh("read x; exit 7"),
  speaksAndFails: sh("echo out; echo err >&2; exit 3"),
  tellsPlace: sh('echo "$TOKEN $(pwd) $(id -u):$(id -g)"'),
  copiesInput: sh("cat; echo end"),
  speaksOnBoth: sh("echo one; echo two >&2; echo three"),
  speaksThrice: sh("echo one; echo two; echo three"),
  waitsForFile: (path) => sh(`echo first; while [ ! -e ${path} ]; do sleep 0.05; done; echo last`),
  reads: (path) => ["cat", path],
  writesLine: (path, line) => sh(`echo '${line}' > ${path}`),
  makesLinkAndPipe: (folder) => sh(`ln -s a.txt ${folder}/link; mkfifo ${folder}/pipe`),
  writesZeros: (path, bytes) => sh(`head -c ${bytes} /dev/zero > ${path}`),
  absent: ["/nope"],
  folder: ["/bin"]
}
