/**
 * Where each request of a connection begins and ends, without changing a byte: the parts of all requests, put together, are the
 * bytes that came. Follows RFC 9112 §6 (lengths and chunks); what is no HTTP is passed on as a tunnel.
 */

/** `head` opens a request; `bytes` are part of its body; `end` closes it. After `tunnel` everything is bytes. */
export type RequestPart =
  | {
      readonly kind: "head"
      readonly bytes: Buffer
      readonly method: string
      readonly path: string
      readonly upgrade: boolean
    }
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "end" }

type State =
  | { readonly kind: "head" }
  | { readonly kind: "length"; readonly left: number }
  | { readonly kind: "chunk-size" }
  | { readonly kind: "chunk-data"; readonly left: number }
  | { readonly kind: "trailer" }
  | { readonly kind: "end" }
  | { readonly kind: "tunnel" }

const maxHeadBytes = 64 * 1024
const nothing = Buffer.alloc(0)
const requestLine = /^([!#$%&'*+.^_`|~\w-]+) (\S+) HTTP\/1\.[01]\r\n/

/** The value of a header in a raw head, lower-cased; absent when there is none. */
export const headerOf = (head: string, name: string): string | undefined =>
  new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*\\r$`, "im").exec(head)?.[1]?.toLowerCase()

const bodyOf = (head: string): State => {
  if (headerOf(head, "transfer-encoding")?.includes("chunked") === true) return { kind: "chunk-size" }
  const length = Number(headerOf(head, "content-length") ?? 0)
  return length > 0 ? { kind: "length", left: length } : { kind: "end" }
}

export class RequestParser {
  private pending: Buffer = nothing
  private state: State = { kind: "head" }

  push(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
  }

  /** From now on everything is bytes. */
  tunnel(): void {
    this.state = { kind: "tunnel" }
  }

  /** The next part; absent until more bytes come. */
  next(): RequestPart | undefined {
    switch (this.state.kind) {
      case "head":
        return this.head()
      case "end":
        this.state = { kind: "head" }
        return { kind: "end" }
      case "tunnel":
        return this.bytes(this.pending.length)
      case "length":
        return this.counted(this.state.left, (left) => ({ kind: "length", left }), { kind: "end" })
      case "chunk-data":
        return this.counted(this.state.left, (left) => ({ kind: "chunk-data", left }), { kind: "chunk-size" })
      case "chunk-size":
        return this.line((text) => {
          const size = Number.parseInt(text, 16)
          if (Number.isNaN(size)) return { kind: "tunnel" }
          // The line end after the data is counted with it.
          return size === 0 ? { kind: "trailer" } : { kind: "chunk-data", left: size + 2 }
        })
      case "trailer":
        return this.line((text) => (text === "" ? { kind: "end" } : { kind: "trailer" }))
    }
  }

  private head(): RequestPart | undefined {
    const end = this.pending.indexOf("\r\n\r\n")
    const isHttp = end >= 0 ? requestLine.exec(this.pending.toString("latin1", 0, end + 4)) : undefined
    if (end < 0 && this.pending.length < maxHeadBytes) return undefined
    if (isHttp === null || isHttp === undefined) {
      this.tunnel()
      return this.next()
    }
    const [head, method = "", path = ""] = [isHttp.input, isHttp[1], isHttp[2]]
    this.state = bodyOf(head)
    const bytes = this.take(end + 4)
    return { kind: "head", bytes, method, path, upgrade: headerOf(head, "upgrade") !== undefined }
  }

  private take(count: number): Buffer {
    const bytes = this.pending.subarray(0, count)
    this.pending = this.pending.subarray(count)
    return bytes
  }

  private bytes(count: number): RequestPart | undefined {
    return count === 0 ? undefined : { kind: "bytes", bytes: this.take(count) }
  }

  private counted(left: number, more: (left: number) => State, done: State): RequestPart | undefined {
    const count = Math.min(left, this.pending.length)
    if (count === 0) return undefined
    this.state = count === left ? done : more(left - count)
    return this.bytes(count)
  }

  private line(after: (text: string) => State): RequestPart | undefined {
    const end = this.pending.indexOf("\r\n")
    if (end < 0) return undefined
    this.state = after(this.pending.toString("latin1", 0, end))
    return this.bytes(end + 2)
  }
}
