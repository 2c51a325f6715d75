import { assert, describe, it } from "@effect/vitest"
import { readKernelConfig } from "../src/internal/capabilities/kernelProbes.ts"

describe("readKernelConfig", () => {
  it("doubts what nobody tried, built in or module, fails what is not set, and knows nothing without a configuration", () => {
    const verdictOf = (config: string) => readKernelConfig(config, ["CONFIG_A", "CONFIG_B"], "no tool").verdict
    assert.strictEqual(verdictOf("CONFIG_X=y\nCONFIG_B=y\n"), "unknown")
    assert.strictEqual(verdictOf("CONFIG_A=m\n"), "unknown")
    assert.strictEqual(verdictOf("# CONFIG_A is not set\nCONFIG_AB=y\n"), "fail")
    assert.strictEqual(verdictOf(""), "unknown")
  })
})
