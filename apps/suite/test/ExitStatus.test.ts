import { assert, describe, it } from "@effect/vitest"
import { NoEngine } from "@sbx/engine/EngineLocator"
import { InstallRefused } from "@sbx/engine/PackagesError"
import { InvalidSetting } from "@sbx/core/Environment"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as ExitStatus from "../src/ExitStatus.ts"
import { NotACheckout } from "../src/internal/repositoryRoot.ts"
import { RunStoreUnavailable } from "../src/RunStore.ts"

const of = (error: unknown) => ExitStatus.ending(Exit.fail(error))

describe("the end of a command", () => {
  it("has the code that it set", () => {
    assert.deepStrictEqual(ExitStatus.ending(Exit.succeed(3)), { code: 3, text: undefined })
  })

  it("is 2 for what the user has to correct", () => {
    const error = new InvalidSetting({ name: "X", value: "y", expectation: "z" })
    assert.deepStrictEqual(of(error), { code: 2, text: error.message })
  })

  it("is 4 without an engine, with what was tried and what to do", () => {
    const error = new NoEngine({ tries: [{ what: "socket /x", why: "absent" }], advice: ["Start one."] })
    assert.strictEqual(of(error).code, 4)
    assert.include(of(error).text, "socket /x: absent")
    assert.strictEqual(of(new InstallRefused({ requested: ["a"], missing: ["a"], commands: ["b"] })).code, 4)
  })

  it("is 3 when the job could not be done", () => {
    assert.strictEqual(of(new RunStoreUnavailable({ path: "/x", detail: "full" })).code, 3)
    assert.strictEqual(of(new NotACheckout({ from: "/x" })).code, 3)
    assert.strictEqual(of("a bare text").code, 3)
  })

  it("is 3 for a defect, whose cause is shown", () => {
    const ending = ExitStatus.ending(Exit.die(new TypeError("broken invariant")))
    assert.strictEqual(ending.code, 3)
    assert.include(ending.text, "broken invariant")
    assert.include(ending.text, "ExitStatus.test.ts")
  })

  it("is 130 when it was interrupted, and says nothing more", () => {
    assert.deepStrictEqual(ExitStatus.ending(Exit.interrupt(1)), { code: 130, text: undefined })
    assert.deepStrictEqual(ExitStatus.ending(Exit.failCause(Cause.interrupt(7))), { code: 130, text: undefined })
  })

  it("shows no escape sequence that an error carries", () => {
    assert.strictEqual(of(new Error("a\u001b[2Jb")).text, "ab")
  })
})
