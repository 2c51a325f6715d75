/**
 * Lets a scope remove its sandboxes side by side. Scopes undo one after the other, newest first, which others may rely on: a
 * network is removed after the sandbox that was made on it. So only sandboxes between which nothing else was registered close
 * together; what was registered before and after them keeps its place.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

type Close = (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

interface Group {
  readonly members: Array<Close>
  readonly close: Close
}

/** More at once than cores: removals wait for the kernel most of the time. */
const concurrency = 16

const newestGroup = new WeakMap<Scope.Scope, Group>()

const newestFinalizer = ({ state }: Scope.Scope): unknown => {
  if (state._tag !== "Open") return undefined
  return state.finalizer ?? [...(state.finalizers?.values() ?? [])].at(-1)
}

/** All are closed, whatever becomes of the others; every failure is kept. */
const closeAll = Effect.fnUntraced(function* (members: ReadonlyArray<Close>, exit: Exit.Exit<unknown, unknown>) {
  const exits = yield* Effect.forEach(members.toReversed(), (close) => Effect.exit(close(exit)), { concurrency })
  yield* Exit.asVoidAll(exits)
})

/** Registers `close` in the scope. */
export const add = (scope: Scope.Scope, close: Close): Effect.Effect<void> =>
  Effect.suspend(() => {
    const newest = newestGroup.get(scope)
    if (newest !== undefined && newestFinalizer(scope) === newest.close) {
      newest.members.push(close)
      return Effect.void
    }
    const members = [close]
    const group: Group = { members, close: (exit) => closeAll(members, exit) }
    newestGroup.set(scope, group)
    return Scope.addFinalizerExit(scope, group.close)
  })
