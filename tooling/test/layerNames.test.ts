import { assert, describe, it } from "vitest"
import { check } from "../src/checks/layerNames.ts"
import { clean, places, plant } from "./plant.ts"

const inFile = (text: string, path = "packages/core/src/A.ts") => places(check(plant({ [path]: text })))

describe("layerNames", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  for (const declaration of [
    "export const SandboxesLive = 1",
    "export class A { static readonly Live = 1 }",
    "const testLayer = 1",
    "const EngineTestLayer = 1",
    "export const dockerLayer = 1",
    "export function dockerLayer() {}"
  ]) {
    it(`reports ${declaration}`, () => {
      assert.deepStrictEqual(inFile(`\n${declaration}\n`), ["packages/core/src/A.ts:2 layer-name"])
    })
  }

  it("accepts the house names, ordinary words and locals", () => {
    const fine = [
      "export const layer = 1",
      "export const layerMemory = 1",
      "export const layerWith = (options: string) => { const innerLayer = options; return innerLayer }",
      "export const isLive = true",
      "export const keepAlive = true",
      "const engineLayer = 1"
    ]
    assert.deepStrictEqual(inFile(fine.join("\n")), [])
    assert.deepStrictEqual(inFile("export const engineLayer = 1", "packages/core/test/engine.ts"), [])
  })
})
