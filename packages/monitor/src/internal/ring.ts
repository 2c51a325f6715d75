/** A bounded list that forgets its oldest element; not safe to share between processes, cheap within one. */
export interface Ring<A> {
  readonly push: (value: A) => void
  /** Oldest first. */
  readonly toArray: () => ReadonlyArray<A>
}

export const makeRing = <A>(capacity: number): Ring<A> => {
  const slots: Array<A> = []
  let next = 0
  return {
    push: (value) => {
      slots[next] = value
      next = (next + 1) % capacity
    },
    toArray: () => (slots.length < capacity ? [...slots] : [...slots.slice(next), ...slots.slice(0, next)])
  }
}
