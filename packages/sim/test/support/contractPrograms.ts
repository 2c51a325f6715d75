/** The contract's programs as simulated ones: each command line is a name and its arguments. */
import type { ContractPrograms } from "@sbx/engine/testing/ContractPrograms"
import { Effect } from "effect"
import type { SimBody, SimProcess, SimProgram } from "../../src/SimProgram.ts"
import { behaviour, named } from "../../src/SimProgram.ts"

const copiesInput: SimBody = (process) =>
  Effect.gen(function* () {
    for (let bytes = yield* process.read; bytes !== undefined; bytes = yield* process.read) yield* process.out(bytes)
    yield* process.out("end\n")
    return 0
  })

const endsOnTerm: SimBody = (process) =>
  Effect.gen(function* () {
    process.onSignal("TERM", { exitCode: 42 })
    yield* process.out("ready\n")
    return yield* Effect.never
  })

const waitsForLine: SimBody = (process) =>
  Effect.gen(function* () {
    for (let bytes = yield* process.read; bytes !== undefined; bytes = yield* process.read) {
      if (bytes.includes(10)) return 7
    }
    return 7
  })

const waitsForFile: SimBody = (process) =>
  Effect.gen(function* () {
    yield* process.out("first\n")
    while (!process.files.exists(process.argv[1] ?? "")) yield* process.sleep("50 millis")
    yield* process.out("last\n")
    return 0
  })

const speaksOnBoth: SimBody = (process) =>
  Effect.gen(function* () {
    yield* process.out("one\n")
    yield* process.err("two\n")
    yield* process.out("three\n")
    return 0
  })

const write = (process: SimProcess, content: string | Uint8Array) => {
  const fault = process.files.write(process.argv[1] ?? "", content)
  return fault === undefined ? Effect.succeed(0) : Effect.as(process.err(`${fault}\n`), 1)
}

const makesLinkAndPipe: SimBody = ({ argv, files }) =>
  Effect.sync(() => {
    const folder = argv[1] ?? ""
    const faults = [files.link(`${folder}/link`, "a.txt"), files.makeFifo(`${folder}/pipe`)]
    return faults.every((fault) => fault === undefined) ? 0 : 1
  })

export const contractPrograms: ContractPrograms = {
  sleeps: ["sleep", "1234"],
  exits: (code) => ["exits", String(code)],
  endsOnTerm: ["ends-on-term"],
  waitsForLine: ["waits-for-line"],
  speaksAndFails: ["speaks-and-fails"],
  tellsPlace: ["tells-place"],
  copiesInput: ["copies-input"],
  speaksOnBoth: ["speaks-on-both"],
  speaksThrice: ["speaks-thrice"],
  waitsForFile: (path) => ["waits-for-file", path],
  reads: (path) => ["cat", path],
  writesLine: (path, line) => ["writes-line", path, line],
  makesLinkAndPipe: (folder) => ["makes-link-and-pipe", folder],
  writesZeros: (path, bytes) => ["writes-zeros", path, String(bytes)],
  absent: ["/nope"],
  folder: ["/bin"]
}

export const simulatedPrograms: ReadonlyArray<SimProgram> = [
  named("exits", ({ argv }) => Effect.succeed(Number(argv[1]))),
  named("ends-on-term", endsOnTerm),
  named("waits-for-line", waitsForLine),
  named("speaks-and-fails", behaviour({ stdout: "out\n", stderr: "err\n", exitCode: 3 })),
  named("tells-place", ({ env, gid, out, uid, workingDir }) =>
    Effect.as(out(`${env["TOKEN"] ?? ""} ${workingDir} ${uid}:${gid}\n`), 0)
  ),
  named("copies-input", copiesInput),
  named("speaks-on-both", speaksOnBoth),
  named("speaks-thrice", behaviour({ stdout: "one\ntwo\nthree\n" })),
  named("waits-for-file", waitsForFile),
  named("writes-line", (process) => write(process, `${process.argv[2] ?? ""}\n`)),
  named("makes-link-and-pipe", makesLinkAndPipe),
  named("writes-zeros", (process) => write(process, new Uint8Array(Number(process.argv[2]))))
]
