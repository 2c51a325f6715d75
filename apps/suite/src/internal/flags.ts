/** Flags that several commands share. */
import { Flag } from "effect/cli"

/** Machine-readable output on stdout. */
export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print JSON on standard output, and nothing else there"),
  Flag.withDefault(false),
  Flag.withoutNegation
)

/** Written `--no-install` by its user. */
export const install = Flag.Boolean("install").pipe(
  Flag.withDescription(
    "Take missing programs from the distribution's packages; --no-install prints the commands instead"
  ),
  Flag.withDefault(true)
)
