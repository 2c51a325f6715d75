import { assert, describe, it } from "vitest"
import { check } from "../src/checks/packageDocuments.ts"
import { clean, manifest, places, plant } from "./plant.ts"

const { "packages/core/README.md": _readme, ...withoutReadme } = clean
const { "packages/core/LICENSE": _license, ...withoutLicense } = clean
const withManifest = (change: object) =>
  places(check(plant({ ...clean, "packages/core/package.json": { ...manifest("core"), ...change } })))

describe("packageDocuments", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  it("reports a package without a README or without a license text", () => {
    assert.deepStrictEqual(places(check(plant(withoutReadme))), ["packages/core/README.md:1 package-document"])
    assert.deepStrictEqual(places(check(plant(withoutLicense))), ["packages/core/LICENSE:1 package-document"])
  })

  it("reports a manifest without license or Node", () => {
    assert.deepStrictEqual(withManifest({ license: undefined }), ["packages/core/package.json:1 manifest"])
    assert.deepStrictEqual(withManifest({ engines: { npm: "1" } }), ["packages/core/package.json:1 manifest"])
    const tools = { "tooling/package.json": { ...manifest("tooling"), license: undefined } }
    assert.deepStrictEqual(places(check(plant({ ...clean, ...tools }))), ["tooling/package.json:1 manifest"])
  })

  it("takes effect as a peer by a caret range only", () => {
    for (const range of ["4.1.0", "catalog:", "workspace:^", "*"]) {
      assert.lengthOf(withManifest({ peerDependencies: { effect: range } }), 1, range)
    }
    assert.deepStrictEqual(withManifest({ peerDependencies: { effect: "^4.1.0" } }), [])
  })
})
