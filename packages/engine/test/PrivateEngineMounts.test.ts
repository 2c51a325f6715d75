import { assert, describe, it } from "@effect/vitest"
import { enginePaths } from "../src/internal/privateEngine/enginePaths.ts"
import { isEngineMount } from "../src/internal/privateEngine/leftovers.ts"

const paths = enginePaths("/s")
const { dataRoot, execRoot, home, run } = paths

describe("isEngineMount", () => {
  it("knows what the daemon and the start script mount", () => {
    for (const point of [
      `${dataRoot}/overlay2/ab12/merged`,
      `${dataRoot}/containers/ab12/mounts/shm`,
      `${dataRoot}/volumes/v/_data`,
      `${dataRoot}/.overlay-probe/m`,
      `${execRoot}/netns/ab12`,
      `${home}/ns`,
      `${home}/ns/keep.run`
    ]) {
      assert.isTrue(isEngineMount(paths, point), point)
    }
  })

  it("spares what a user mounts: the folders that hold the engine's state, and their neighbours", () => {
    for (const point of [
      "/s",
      home,
      dataRoot,
      `${dataRoot}/overlay2`,
      `${dataRoot}/volumes`,
      `${dataRoot}/volumes/v`,
      `${home}/backup`,
      `${dataRoot}2/overlay2/x/merged`,
      run,
      `${run}2/exec`
    ]) {
      assert.isFalse(isEngineMount(paths, point), point)
    }
  })
})
