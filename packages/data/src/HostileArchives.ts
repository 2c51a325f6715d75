/** The whole corpus of hostile archives. A new family is a leaf in `hostile/` and a line here. */
import type { HostileArchive } from "./HostileArchive.ts"
import { bombs } from "./hostile/Bombs.ts"
import { damage } from "./hostile/Damage.ts"
import { links } from "./hostile/Links.ts"
import { names } from "./hostile/Names.ts"
import { specials } from "./hostile/Nodes.ts"
import { traversal } from "./hostile/Traversal.ts"

export const all: ReadonlyArray<HostileArchive> = [...bombs, ...traversal, ...links, ...specials, ...names, ...damage]
