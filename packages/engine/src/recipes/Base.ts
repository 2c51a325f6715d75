/** `base`: minimal Debian with python3 and perl (perl-base is Essential), without documentation, locales and package lists. */
import { type ImageRecipe, sandboxUsers, standardPath } from "../ImageRecipe.ts"

export const base: ImageRecipe = {
  name: "base",
  base: "debian",
  // usr-is-merged satisfies init-system-helpers without usrmerge, which would pull in the whole of perl (50 MB).
  packages: ["python3", "usr-is-merged"],
  files: [],
  users: sandboxUsers,
  env: { PATH: standardPath, LANG: "C.UTF-8" },
  workingDir: "/workspace",
  command: ["/bin/sh"]
}
