/** `DOCKER_HOST` as the user wrote it. Refuses an address that no engine can have; whether one answers is another matter. */
import { InvalidSetting } from "@sbx/core/Environment"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const name = "DOCKER_HOST"

/** `ssh` and `https` are addresses of engines too: the locator says what to do instead. */
const usable = /^(?:unix:\/\/\/|(?:tcp|http|https|ssh):\/\/)[^\s]+$/

/** Absent when it is not set. */
export const dockerHost = Effect.gen(function* () {
  const value = Option.getOrUndefined(yield* Config.option(Config.NonEmptyString(name)))
  if (value === undefined || usable.test(value)) return value
  return yield* new InvalidSetting({ name, value, expectation: "unix:///path or tcp://host:port" })
})
