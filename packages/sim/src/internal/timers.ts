/** Pending timers, earliest first; of equal times the one set first. A binary heap; cancelled entries leave when they come up. */

export interface Timer {
  readonly atMillis: number
  readonly order: number
  readonly fire: () => void
  /** Whether it still counts: not cancelled, and its process lives. */
  readonly isLive: () => boolean
}

const earlier = (a: Timer, b: Timer) => a.atMillis < b.atMillis || (a.atMillis === b.atMillis && a.order < b.order)

export class Timers {
  readonly #heap: Array<Timer> = []

  add(timer: Timer): void {
    const heap = this.#heap
    let index = heap.push(timer) - 1
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || !earlier(timer, parent)) break
      heap[index] = parent
      index = above
    }
    heap[index] = timer
  }

  /** Time of the next live timer. */
  next(): number | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.isLive()) return top.atMillis
      this.#pop()
    }
    return undefined
  }

  /** Takes out the live timers that are due, in order. */
  due(nowMillis: number): ReadonlyArray<Timer> {
    const found: Array<Timer> = []
    for (let at = this.next(); at !== undefined && at <= nowMillis; at = this.next()) {
      const timer = this.#pop()
      if (timer !== undefined) found.push(timer)
    }
    return found
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || top === last) return last
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const right = left + 1
      const a = heap[left]
      const b = heap[right]
      if (a === undefined) break
      const child = b !== undefined && earlier(b, a) ? right : left
      const timer = child === right ? b : a
      if (timer === undefined || !earlier(timer, last)) break
      heap[index] = timer
      index = child
    }
    heap[index] = last
    return top
  }
}
