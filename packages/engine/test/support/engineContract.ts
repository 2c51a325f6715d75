/** The laws that every Engine obeys, run against a layer. They use real processes and the real clock. */
import { layer } from "@effect/vitest"
import type { Layer } from "effect"
import type { Engine } from "../../src/Engine.ts"
import { containerLaws } from "./contractContainers.ts"
import type { ContractOptions } from "./contractFixture.ts"
import { fixture } from "./contractFixture.ts"
import { ioLaws } from "./contractIo.ts"
import { objectLaws } from "./contractObjects.ts"

/** Registers one test a law. Everything that a law creates bears a label of the run and is removed by it. */
export const engineContract = <E>(name: string, engine: Layer.Layer<Engine, E>, options: ContractOptions): void =>
  layer(fixture(engine, options), { excludeTestServices: true, timeout: "2 minutes" })(`${name}: contract`, (it) => {
    for (const [title, law] of Object.entries({ ...containerLaws, ...ioLaws, ...objectLaws })) {
      it.effect(title, () => law)
    }
  })
