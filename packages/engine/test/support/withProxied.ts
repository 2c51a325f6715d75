/** The adapter on a fake engine with the fault proxy between them. */
import { Effect } from "effect"
import type { Scope } from "effect"
import * as Docker from "../../src/Docker.ts"
import type { EngineShape } from "../../src/Engine.ts"
import type { ApiVersionUnsupported, CallError } from "../../src/EngineError.ts"
import type { FaultProxyFailed, FaultProxyShape } from "../../src/testing/FaultProxy.ts"
import * as FaultProxy from "../../src/testing/FaultProxy.ts"
import type { FakeDocker, Routes } from "./FakeDocker.ts"
import { serve } from "./FakeDocker.ts"

export interface Proxied {
  readonly engine: EngineShape
  readonly proxy: FaultProxyShape
  readonly fake: FakeDocker
  /** Requests that reached the engine, as `METHOD /path`, without the look at its version. */
  readonly reached: () => ReadonlyArray<string>
}

export const withProxied = <A, E, R>(
  routes: Routes,
  use: (proxied: Proxied) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | CallError | ApiVersionUnsupported | FaultProxyFailed, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fake = yield* serve(routes)
      const proxy = yield* FaultProxy.make({ upstream: fake.endpoint.address })
      const engine = yield* Docker.make(proxy.endpoint)
      const reached = () => fake.requests.map(({ method, url }) => `${method} ${url.replace(/^\/v[\d.]+|\?.*$/g, "")}`)
      return yield* use({ engine, proxy, fake, reached })
    })
  )
