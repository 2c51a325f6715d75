/**
 * Finds the container engine: an explicit `DOCKER_HOST` or context, else a reachable well-known socket, else the private engine.
 * An explicit choice that does not answer is an error, never replaced by another engine. Refuses `ssh://` and TLS.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { EngineEndpoint } from "./Engine.ts"
import { contextEndpoint } from "./internal/privateEngine/dockerContext.ts"
import { probeEndpoint } from "./internal/privateEngine/probeEndpoint.ts"
import { PrivateEngine, type UpError, type UpOptions } from "./PrivateEngine.ts"

/** One place that was looked at. */
export interface Try {
  /** `DOCKER_HOST unix:///x`, `context remote`, `socket /var/run/docker.sock`, `private engine`. */
  readonly what: string
  /** `reachable`, or why not. */
  readonly why: string
}

export interface LocatedEngine extends EngineEndpoint {
  /** In the order they were tried; the last one is the one in use. */
  readonly tries: ReadonlyArray<Try>
  /** Of the private engine's start; empty otherwise. */
  readonly warnings: ReadonlyArray<string>
}

/** No engine could be had. Exit code 4 in the CLI. */
export class NoEngine extends Schema.TaggedError<NoEngine>()("NoEngine", {
  tries: Schema.Array(Schema.Struct({ what: Schema.String, why: Schema.String })),
  /** What to do, in order of preference; commands are exact. */
  advice: Schema.Array(Schema.String)
}) {
  override get message() {
    const tried = this.tries.map(({ what, why }) => `  ${what}: ${why}`).join("\n")
    return `Could not find a container engine: tried\n${tried}\n${this.advice.join("\n")}`
  }
}

export interface EngineLocatorShape {
  /**
   * Starts the private engine where no other is found; its lease lives as long as the scope. Each probe takes 3 s at most.
   */
  readonly locate: (options?: UpOptions) => Effect.Effect<LocatedEngine, NoEngine | UpError, Scope.Scope>
}

/** Where the engine is. */
export class EngineLocator extends Context.Service<EngineLocator, EngineLocatorShape>()("@sbx/engine/EngineLocator") {}

/** The environment that decides; `layer` reads it from the variables of the same meaning. */
export interface EngineEnvironment {
  /** `DOCKER_HOST` */
  readonly dockerHost?: string | undefined
  /** `DOCKER_CONTEXT`; wins over the configuration's `currentContext`. */
  readonly dockerContext?: string | undefined
  /** `DOCKER_CONFIG`, default `$HOME/.docker`. */
  readonly dockerConfig?: string | undefined
  /** `DOCKER_TLS_VERIFY` is set and not empty. */
  readonly tlsVerify?: boolean | undefined
  /** Sockets to try, in order. */
  readonly sockets: ReadonlyArray<string>
}

const probeMillis = 3_000

interface Candidate {
  readonly kind: "explicit" | "context" | "default"
  readonly what: string
  readonly address: string
}

type Outcome =
  | { readonly reachable: true }
  | { readonly reachable: false; readonly why: string; readonly advice: string }

const refused = (why: string, advice: string): Outcome => ({ reachable: false, why, advice })

/** Schemes that cannot be used, before any connection is made. */
const refusal = (candidate: Candidate, tlsVerify: boolean): Outcome | undefined => {
  const { address } = candidate
  if (address.startsWith("ssh://")) {
    return refused(
      "ssh:// opens a connection for every request",
      `Forward the socket once and use it: \`ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock ${address.slice("ssh://".length)} &\`, then \`export DOCKER_HOST=unix:///tmp/docker.sock\`.`
    )
  }
  if (address.startsWith("https://") || (tlsVerify && address.startsWith("tcp://"))) {
    return refused(
      "TLS client certificates are not supported",
      "Forward the engine's socket with `ssh -L` and set DOCKER_HOST to the local end."
    )
  }
  return /^(?:unix|tcp|http):\/\//.test(address)
    ? undefined
    : refused("the address is not unix:// or tcp://", "Set DOCKER_HOST to unix:///path or tcp://host:port.")
}

const advices: Readonly<Record<string, (candidate: Candidate) => string>> = {
  "no-socket": ({ address }) =>
    `Nothing is at ${address}: start that engine, or \`unset DOCKER_HOST\` to let sbx use its own.`,
  "permission-denied": ({ address }) =>
    `${address} belongs to others: run as root (\`sudo ./sbx …\`) or join its group (\`ls -l ${address.replace("unix://", "")}\`, then \`usermod -aG <group> $USER\`).`,
  refused: ({ address }) =>
    `Nothing listens at ${address}, the socket is stale: restart its engine (\`systemctl restart docker\`).`
}

const tryCandidate = Effect.fnUntraced(function* (candidate: Candidate, tlsVerify: boolean): Effect.fn.Return<Outcome> {
  const refusedBefore = refusal(candidate, tlsVerify)
  if (refusedBefore !== undefined) return refusedBefore
  return yield* probeEndpoint(candidate.address, probeMillis).pipe(
    Effect.as<Outcome>({ reachable: true }),
    Effect.catch((error) =>
      Effect.succeed(
        refused(
          `${error.reason} (${error.detail})`,
          advices[error.reason]?.(candidate) ??
            `See what answers at ${candidate.address}: \`DOCKER_HOST=${candidate.address} docker version\`.`
        )
      )
    )
  )
})

/** The user's explicit choice, if any. A context named `default` means the well-known sockets. */
const explicitCandidate = Effect.fnUntraced(function* (environment: EngineEnvironment) {
  if (environment.dockerHost !== undefined) {
    const address = environment.dockerHost
    return { kind: "explicit" as const, what: `DOCKER_HOST ${address}`, address }
  }
  const context = yield* contextEndpoint(environment.dockerConfig, environment.dockerContext)
  return context === undefined
    ? undefined
    : { kind: "context" as const, what: `context ${context.name} ${context.address}`.trim(), address: context.address }
})

const locate = Effect.fnUntraced(function* (
  environment: EngineEnvironment,
  engine: PrivateEngine["Service"],
  options?: UpOptions
): Effect.fn.Return<LocatedEngine, NoEngine | UpError, Scope.Scope | FileSystem.FileSystem> {
  const explicit = yield* explicitCandidate(environment)
  if (explicit?.address === engine.endpoint) return yield* locatePrivate(engine, [], options)
  const candidates: ReadonlyArray<Candidate> =
    explicit === undefined
      ? environment.sockets.map((path) => ({ kind: "default", what: `socket ${path}`, address: `unix://${path}` }))
      : [explicit]
  const tries: Array<Try> = []
  const advice: Array<string> = []
  for (const candidate of candidates) {
    const outcome = yield* tryCandidate(candidate, environment.tlsVerify ?? false)
    tries.push({ what: candidate.what, why: outcome.reachable ? "reachable" : outcome.why })
    if (outcome.reachable) return { kind: candidate.kind, address: candidate.address, tries, warnings: [] }
    // An absent well-known socket is the normal case and needs no advice.
    if (explicit !== undefined || !outcome.why.startsWith("no-socket")) advice.push(outcome.advice)
  }
  if (explicit !== undefined) return yield* new NoEngine({ tries, advice })
  return yield* locatePrivate(engine, tries, options).pipe(
    Effect.catchTags({
      PrivateEngineUnsupported: (error) => noEngine(tries, advice, error.reason, error.message),
      NotDebian: (error) => noEngine(tries, advice, `there is no ${error.program}`, error.message),
      InstallRefused: (error) => noEngine(tries, advice, `${error.missing.join(", ")} not present`, error.message)
    })
  )
})

const noEngine = (tries: ReadonlyArray<Try>, advice: ReadonlyArray<string>, why: string, remedy: string) =>
  Effect.fail(new NoEngine({ tries: [...tries, { what: "private engine", why }], advice: [...advice, remedy] }))

const locatePrivate = Effect.fnUntraced(function* (
  engine: PrivateEngine["Service"],
  tries: ReadonlyArray<Try>,
  options?: UpOptions
) {
  const up = yield* engine.lease(options)
  const why = up.started ? "started" : "reachable"
  return {
    kind: "private" as const,
    address: up.endpoint,
    tries: [...tries, { what: "private engine", why }],
    warnings: up.warnings
  }
})

/** Requires `PrivateEngine` and `FileSystem`. */
export const layerWith = (
  environment: EngineEnvironment
): Layer.Layer<EngineLocator, never, PrivateEngine | FileSystem.FileSystem> =>
  Layer.effect(
    EngineLocator,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const engine = yield* PrivateEngine
      return {
        locate: (options) => locate(environment, engine, options).pipe(Effect.provideService(FileSystem.FileSystem, fs))
      }
    })
  )

const optional = (name: string) => Effect.map(Config.option(Config.NonEmptyString(name)), Option.getOrUndefined)

/** Reads `DOCKER_HOST`, `DOCKER_CONTEXT`, `DOCKER_CONFIG`, `DOCKER_TLS_VERIFY`, `HOME` and `XDG_RUNTIME_DIR`. */
export const layer: Layer.Layer<EngineLocator, Config.ConfigError, PrivateEngine | FileSystem.FileSystem> =
  Layer.unwrap(
    Effect.gen(function* () {
      const runtime = yield* optional("XDG_RUNTIME_DIR")
      const home = yield* optional("HOME")
      return layerWith({
        dockerHost: yield* optional("DOCKER_HOST"),
        dockerContext: yield* optional("DOCKER_CONTEXT"),
        dockerConfig: (yield* optional("DOCKER_CONFIG")) ?? (home === undefined ? undefined : `${home}/.docker`),
        tlsVerify: (yield* optional("DOCKER_TLS_VERIFY")) !== undefined,
        sockets: [
          "/var/run/docker.sock",
          ...(runtime === undefined ? [] : [`${runtime}/docker.sock`, `${runtime}/podman/podman.sock`]),
          "/run/podman/podman.sock"
        ]
      })
    })
  )
