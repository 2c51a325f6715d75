/**
 * The laws that every Engine obeys, as vitest tests against a layer, or one by one as effects. They start the engine's containers and
 * use the clock that they are given. Needs the optional peers `vitest` and `@effect/vitest`.
 */
import { layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Engine } from "../Engine.ts"
import { containerLaws } from "../internal/contract/containerLaws.ts"
import type { ContractOptions, Law } from "../internal/contract/contractFixture.ts"
import { fixture } from "../internal/contract/contractFixture.ts"
import { ioLaws } from "../internal/contract/ioLaws.ts"
import { objectLaws } from "../internal/contract/objectLaws.ts"

export type { ContractOptions }

const laws: Readonly<Record<string, Law>> = { ...containerLaws, ...ioLaws, ...objectLaws }

/** The title of every law. */
export const lawTitles: ReadonlyArray<string> = Object.keys(laws)

/** One law against an engine. Fails, or dies of an assertion, when the engine breaks it: for those who test the laws themselves. */
export const checkLaw = <E>(
  title: string,
  engine: Layer.Layer<Engine, E>,
  options: ContractOptions
): Effect.Effect<void, unknown> => {
  const law = laws[title]
  return law === undefined
    ? Effect.die(new Error(`There is no law "${title}".`))
    : Effect.provide(Effect.scoped(law), fixture(engine, options))
}

/** Registers one test a law. Everything that a law creates bears a label of the run and is removed by it. */
export const engineContract = <E>(name: string, engine: Layer.Layer<Engine, E>, options: ContractOptions): void =>
  layer(fixture(engine, options), { excludeTestServices: true, timeout: "2 minutes" })(`${name}: contract`, (it) => {
    for (const [title, law] of Object.entries(laws)) it.effect(title, () => law)
  })
