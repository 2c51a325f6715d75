import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { allowed, hardened, hardenedJson, refused, SeccompProfile } from "../src/SeccompProfile.ts"

const allowedNames = allowed.flatMap((group) => group.names)
const refusedNames = refused.flatMap((group) => group.names)

describe("the syscall allow-list", () => {
  it("names each syscall once, and none both allowed and refused", () => {
    const names = [...allowedNames, ...refusedNames]
    assert.deepStrictEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      []
    )
    for (const name of names) assert.match(name, /^_?[a-z][a-z0-9_]*$/)
  })

  it("allows without condition only what it lists", () => {
    const unconditional = hardened.syscalls.filter(
      (rule) => rule.action === "SCMP_ACT_ALLOW" && rule.args === undefined
    )
    assert.deepStrictEqual(unconditional.flatMap((rule) => rule.names).sort(), allowedNames.toSorted())
  })

  it("has no rule at all for what it refuses", () => {
    const ruled = new Set(hardened.syscalls.flatMap((rule) => rule.names))
    assert.deepStrictEqual(
      refusedNames.filter((name) => ruled.has(name)),
      []
    )
  })

  it("gives a reason for every group", () => {
    for (const group of [...allowed, ...refused]) assert.isAbove(group.reason.length, 8)
  })

  it("answers clone3 with ENOSYS, so that libc falls back to clone", () => {
    assert.deepInclude(
      hardened.syscalls.find((rule) => rule.names.includes("clone3")),
      { action: "SCMP_ACT_ERRNO", errnoRet: 38 }
    )
  })

  it("is rendered to JSON that reads back the same", () => {
    assert.deepStrictEqual(Schema.decodeSync(Schema.fromJsonString(SeccompProfile))(hardenedJson), hardened)
  })
})
