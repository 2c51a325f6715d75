/**
 * The laws that every Engine obeys, as vitest tests against a layer: for a second implementation to run. They start real
 * containers and use the real clock. Needs the optional peers `vitest` and `@effect/vitest`.
 */
import { layer } from "@effect/vitest"
import type { Layer } from "effect"
import type { Engine } from "../Engine.ts"
import { containerLaws } from "../internal/contract/containerLaws.ts"
import type { ContractOptions } from "../internal/contract/contractFixture.ts"
import { fixture } from "../internal/contract/contractFixture.ts"
import { ioLaws } from "../internal/contract/ioLaws.ts"
import { objectLaws } from "../internal/contract/objectLaws.ts"

export type { ContractOptions }

/** Registers one test a law. Everything that a law creates bears a label of the run and is removed by it. */
export const engineContract = <E>(name: string, engine: Layer.Layer<Engine, E>, options: ContractOptions): void =>
  layer(fixture(engine, options), { excludeTestServices: true, timeout: "2 minutes" })(`${name}: contract`, (it) => {
    for (const [title, law] of Object.entries({ ...containerLaws, ...ioLaws, ...objectLaws })) {
      it.effect(title, () => law)
    }
  })
