/** `tiny`: a static busybox with all its applets, 2 MB. For scenarios that need a shell and nothing else. */
import { type ImageRecipe, sandboxUsers, standardPath } from "../ImageRecipe.ts"

export const tiny: ImageRecipe = {
  name: "tiny",
  base: "busybox",
  packages: [],
  files: [],
  users: sandboxUsers,
  env: { PATH: standardPath, LANG: "C.UTF-8" },
  workingDir: "/workspace",
  command: ["/bin/sh"]
}
