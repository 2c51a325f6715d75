/** Where a torture keeps the folders of its rounds. */
import * as Context from "effect/Context"

export class TorturePlace extends Context.Service<TorturePlace, { readonly directory: string }>()(
  "@sbx/suite/TorturePlace"
) {}
