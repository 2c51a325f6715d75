/** A profile of ours that denies mkdir must deny it, and nothing else may. */
import * as Effect from "effect/Effect"
import type { Probe, Site } from "./probe.ts"
import { container, fail, pass, shell, unknown } from "./probe.ts"

/** EPERM is 1 on every architecture; musl and glibc call mkdir or mkdirat (man 2 mkdir). */
const denyMkdir = JSON.stringify({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }]
})

const makeFolder = (site: Site, securityOpt: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.flatMap(container(site, { securityOpt }), (id) => shell(site, id, "mkdir /sbx-probe && touch /sbx-file"))
  )

export const seccompProbe: Probe = {
  name: "seccomp",
  required: true,
  advice:
    "Use a kernel with CONFIG_SECCOMP_FILTER and an engine built with seccomp: sandboxes are not confined without.",
  look: (site) =>
    Effect.gen(function* () {
      const control = yield* makeFolder(site, [])
      if (control.exitCode !== 0) return unknown(`mkdir fails without a profile: ${control.text}`)
      const denied = yield* makeFolder(site, [`seccomp=${denyMkdir}`])
      if (denied.exitCode === 0) return fail("a profile that denies mkdir was accepted and not enforced")
      return /not permitted/i.test(denied.text)
        ? pass("mkdir gives EPERM under a profile that denies it, and works without")
        : unknown(`mkdir failed in another way: ${denied.text}`)
    })
}
