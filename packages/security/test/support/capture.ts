/**
 * Records golden readings: `DOCKER_HOST=… node --conditions=@sbx/source test/support/capture.ts > test/fixtures/readings.json`.
 * Paths of the engine's host, ids and numbers that differ from run to run are replaced, so that a recording says only what differs.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { resolve } from "@sbx/core/SandboxOptions"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import { Engine, type EngineInfo } from "@sbx/engine/Engine"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { boundaryChecks } from "../../src/BoundaryChecks.ts"
import { read } from "../../src/Controls.ts"
import type { Answer } from "../../src/Evidence.ts"
import { fromSandbox } from "../../src/HardenedReference.ts"
import type { ProbeRun } from "../../src/ProbeRun.ts"
import { weakeningNames, weakenings } from "../../src/Weakening.ts"
import { baseImage, engineLayer } from "./engine.ts"

const statusFields = /^(Pid|Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp|Seccomp_filters):/
const initialNamespaces = /\[40265318\d\d\]/

const neutral = (info: EngineInfo, key: string) => (line: string) => {
  const shared = line
    .replaceAll(info.dataRoot, "/var/lib/docker")
    .replaceAll(/[0-9a-f]{64}/g, "id")
    .replaceAll(/(lowerdir|upperdir|workdir)=[^, ]+/g, "$1=/var/lib/docker/overlay2/id")
    .replace(/\S+ (\S*docker-init )/, "/usr/bin/docker-init $1")
    .replace(/\S+ (\/run\/docker.sock )/, "/docker.sock $1")
  if (key.endsWith("mountinfo"))
    return shared.replace(/^\d+ \d+ \d+:\d+/, "1 1 0:1").replace(/(shared|master):\d+/, "$1:1")
  if (key.endsWith("status")) return shared.replace(/^Pid:.*/, "Pid:\t7")
  return initialNamespaces.test(shared) ? shared : shared.replace(/:\[\d+\]$/, ":[4026532000]")
}

const normalise = (info: EngineInfo, key: string, answer: Answer): Answer => {
  if (key.endsWith("getpid()")) return { _tag: "Done", value: 7 }
  if (answer._tag !== "Text") return answer
  const kept = answer.lines.filter((line) =>
    key.endsWith("status") ? statusFields.test(line) : !(key.endsWith("list /proc") && /^\d+$/.test(line))
  )
  return { ...answer, lines: kept.map(neutral(info, key)) }
}

const record = (info: EngineInfo, run: ProbeRun) => {
  const { init, ipcMode, logConfig, restartPolicy } = run.evidence.inspect?.host ?? {}
  return {
    answers: Object.fromEntries([...run.evidence.answers].map(([key, answer]) => [key, normalise(info, key, answer)])),
    posture: { init, ipcMode, logConfig, restartPolicy: restartPolicy && { name: restartPolicy.name } }
  }
}

const toJson = Schema.encodeUnknownSync(Schema.fromJsonString(Schema.Unknown))

const program = Effect.gen(function* () {
  const engine = yield* Engine
  const info = yield* engine.info
  const reference = fromSandbox(yield* resolve({ image: yield* baseImage }), info)
  const one = (name: string, spec: ContainerSpec) =>
    Effect.acquireUseRelease(
      engine.createContainer({ ...spec, name: `sbx-capture-${name}`, labels: { "sbx.control": name } }),
      (id) =>
        Effect.andThen(
          engine.startContainer(id),
          read({ checks: boundaryChecks, engine, info, vehicles: undefined }, id)
        ),
      (id) => engine.removeContainer(id)
    )
  const base = yield* one("hardened", reference.spec)
  const hardened = record(info, base)
  const context = { engineAddress: engine.endpoint.address, cgroupVersion: info.cgroupVersion }
  const weakened: Array<string> = []
  for (const name of weakeningNames) {
    const spec = weakenings[name].apply(reference.spec, context)
    const run = spec === undefined ? undefined : yield* Effect.result(one(name, spec))
    if (run === undefined || Result.isFailure(run)) continue
    const { answers, posture } = record(info, run.success)
    const differing = Object.entries(answers).filter(
      ([key, answer]) => toJson(answer) !== toJson(hardened.answers[key])
    )
    weakened.push(`"${name}":${toJson({ answers: Object.fromEntries(differing), posture })}`)
  }
  const { cgroupVersion, kernelVersion, version } = info
  yield* Console.log(
    [
      `{"engine":${toJson({ version, kernelVersion, cgroupVersion })},"vehicle":${toJson(base.vehicles["user"])},`,
      `"expected":${toJson(reference.expected)},`,
      `"hardened":${toJson(hardened)},`,
      `"weakened":{\n${weakened.join(",\n")}\n}}`
    ].join("\n")
  )
})

NodeRuntime.runMain(Effect.provide(program, engineLayer))
