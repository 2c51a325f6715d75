/**
 * The engine that this machine's user means, ready for use: located, connected, and leased while the scope is open.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Docker from "./Docker.ts"
import { Engine, type EngineEndpoint, type EngineInfo } from "./Engine.ts"
import type { ApiVersionUnsupported, CallError } from "./EngineError.ts"
import * as DistributionPackages from "./DistributionPackages.ts"
import * as EngineLocator from "./EngineLocator.ts"
import * as ImageBuilder from "./ImageBuilder.ts"
import * as PrivateEngine from "./PrivateEngine.ts"

/** Where the engine was found and what was tried before. */
export class Located extends Context.Service<Located, EngineLocator.LocatedEngine>()("@sbx/engine/Located") {}

export type LocatedError = EngineLocator.NoEngine | PrivateEngine.UpError | CallError | ApiVersionUnsupported

/** Locates the engine, starting the private one where there is no other. */
export const layer = (
  options?: PrivateEngine.UpOptions
): Layer.Layer<Engine | Located, LocatedError, EngineLocator.EngineLocator> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const locator = yield* EngineLocator.EngineLocator
      const located = yield* locator.locate(options)
      const engine = yield* Docker.make({ kind: located.kind, address: located.address })
      return Context.make(Located, located).pipe(Context.add(Engine, engine))
    })
  )

/** {@link layer} with everything it needs but the platform: what most programs want. */
export const layerDefault = (options?: PrivateEngine.UpOptions) =>
  ImageBuilder.layer.pipe(
    Layer.provideMerge(layer(options)),
    Layer.provide(EngineLocator.layer),
    Layer.provide(PrivateEngine.layer),
    Layer.provide(DistributionPackages.layer)
  )

/**
 * What a cached verdict of a real-engine test holds for: another engine, version, kernel, cgroup layout, runtime or security
 * option gives another text.
 * The private engine's socket path is left out: its content is the same wherever its state lies.
 */
export const fingerprint = (endpoint: EngineEndpoint, info: EngineInfo): string =>
  [
    endpoint.kind === "private" ? "private" : endpoint.address,
    `engine ${info.version}`,
    `api ${info.apiVersion}`,
    `kernel ${info.kernelVersion}`,
    `cgroup ${info.cgroupVersion} ${info.cgroupDriver}`,
    `storage ${info.storageDriver}`,
    `runtime ${info.defaultRuntime}`,
    // In no fixed order.
    `security ${info.securityOptions.toSorted().join(" ")}`,
    `cpus ${info.cpus}`
  ].join("; ")
