/**
 * One client connection and its own connection to the engine. Bytes go through as they came, both ways, with back-pressure and
 * half-close, until a fault is due. Requests are told apart only to know their routes; answers only where a fault cuts one.
 */
import type { Socket } from "node:net"
import type { AnswerPoint } from "./answerGate.ts"
import { AnswerGate } from "./answerGate.ts"
import type { RequestPart } from "./requestParser.ts"
import { RequestParser } from "./requestParser.ts"

export type Misdeed =
  | { readonly kind: "latency"; readonly millis: number }
  | { readonly kind: "status"; readonly status: number; readonly message: string }
  | { readonly kind: "reset" }
  | { readonly kind: "hang" }

/** What is to be done to one exchange, and where. `struck` is called when it is done, and only then. */
export interface Order {
  readonly at: "request" | AnswerPoint
  readonly misdeed: Misdeed
  readonly struck: (tunnel: Tunnel) => void
}

export interface Surroundings {
  readonly judge: (method: string, path: string) => Order | undefined
  /** Calls back after a time, unless the proxy ends before. */
  readonly later: (millis: number, then: () => void) => void
}

/** Writes and holds the source back until the target took it. */
const forward = (bytes: Buffer, from: Socket, to: Socket): void => {
  if (bytes.length === 0 || !to.writable || to.write(bytes) || from.isPaused()) return
  from.pause()
  to.once("drain", () => from.resume())
}

const statusAnswer = (status: number, message: string): string => {
  const body = `${JSON.stringify({ message })}\n`
  const length = Buffer.byteLength(body)
  return `HTTP/1.1 ${status} Injected\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${body}`
}

const statusLine = 12

export class Tunnel {
  private readonly parser = new RequestParser()
  private readonly client: Socket
  private readonly engine: Socket
  private readonly around: Surroundings
  /** Bytes are dropped from now on; the connection stays open. */
  private mute = false
  /** No request is read until a latency is over or it is known whether the engine upgraded. */
  private held = false
  private clientEnded = false
  /** Of the answer, while a latency lasts. */
  private waiting: Array<Buffer> | undefined
  private verdict: { seen: Buffer } | undefined
  private gate: { readonly find: AnswerGate; readonly order: Order } | undefined

  constructor(client: Socket, engine: Socket, around: Surroundings) {
    this.client = client
    this.engine = engine
    this.around = around
    client.on("data", (chunk: Buffer) => this.fromClient(chunk))
    engine.on("data", (chunk: Buffer) => this.fromEngine(chunk))
    client.on("end", () => {
      this.clientEnded = true
      this.endEngine()
    })
    engine.on("end", () => this.endClient())
    for (const socket of [client, engine]) {
      socket.on("error", () => this.destroy())
      socket.on("close", () => this.closed(socket))
    }
  }

  destroy(): void {
    this.client.destroy()
    this.engine.destroy()
  }

  /** What is still on its way to the client is delivered before its connection is closed. */
  private closed(socket: Socket): void {
    if (socket === this.client) this.engine.destroy()
    else if (!this.mute && this.waiting === undefined) this.client.end(() => this.client.destroy())
  }

  /** A half-close is passed on after everything that came before it. */
  private endEngine(): void {
    if (!this.clientEnded || this.held) return
    if (this.mute) this.destroy()
    else this.engine.end()
  }

  private endClient(): void {
    if (!this.mute && this.waiting === undefined) this.client.end()
  }

  private fromClient(chunk: Buffer): void {
    if (this.mute) return
    this.parser.push(chunk)
    this.requests()
  }

  private requests(): void {
    for (let part = this.step(); part !== undefined; part = this.step()) this.pass(part)
  }

  private step(): RequestPart | undefined {
    return this.held || this.mute ? undefined : this.parser.next()
  }

  private pass(part: RequestPart): void {
    if (part.kind === "end") return this.verdict === undefined ? undefined : this.hold()
    if (part.kind === "bytes") return forward(part.bytes, this.client, this.engine)
    if (part.upgrade) this.verdict = { seen: Buffer.alloc(0) }
    const order = this.around.judge(part.method, part.path)
    if (order?.at === "request") return this.strike(order, () => forward(part.bytes, this.client, this.engine))
    if (order !== undefined) this.gate = { find: new AnswerGate(order.at, part.method), order }
    forward(part.bytes, this.client, this.engine)
  }

  private hold(): void {
    this.held = true
    this.client.pause()
  }

  private release(): void {
    this.held = false
    this.client.resume()
    this.requests()
    if (this.clientEnded) this.endEngine()
  }

  private fromEngine(chunk: Buffer): void {
    if (this.mute) return
    if (this.waiting !== undefined) return void this.waiting.push(chunk)
    if (this.verdict !== undefined) this.judgeUpgrade(this.verdict, chunk)
    const { gate } = this
    if (gate === undefined) return forward(chunk, this.engine, this.client)
    const found = gate.find.push(chunk)
    forward(found.pass, this.engine, this.client)
    if (found.at === "before") return
    this.gate = undefined
    if (found.at === "reached") this.strike(gate.order, () => forward(found.rest, this.engine, this.client))
  }

  /** After 101 there are no requests any more; after anything else the connection goes on as HTTP. */
  private judgeUpgrade(verdict: { seen: Buffer }, chunk: Buffer): void {
    verdict.seen = Buffer.concat([verdict.seen, chunk])
    if (verdict.seen.length < statusLine) return
    this.verdict = undefined
    if (verdict.seen.toString("latin1", 9, statusLine) === "101") this.parser.tunnel()
    this.release()
  }

  private strike(order: Order, goOn: () => void): void {
    const { misdeed } = order
    order.struck(this)
    if (misdeed.kind === "latency") return this.delay(order.at === "request", misdeed.millis, goOn)
    this.mute = true
    if (misdeed.kind === "hang") return
    if (misdeed.kind === "status") {
      // The rest of the request is read and dropped; closing over it would cost the client the answer.
      this.client.end(statusAnswer(misdeed.status, misdeed.message))
      this.engine.destroy()
      return
    }
    // What was passed on before the cut arrives; then the connection is closed without the rest.
    this.client.end(() => this.destroy())
  }

  private delay(request: boolean, millis: number, goOn: () => void): void {
    if (request) this.hold()
    else this.waiting = []
    this.around.later(millis, () => {
      if (this.client.destroyed) return
      goOn()
      if (request) this.release()
      else this.afterWaiting()
    })
  }

  private afterWaiting(): void {
    const late = this.waiting ?? []
    this.waiting = undefined
    for (const chunk of late) this.fromEngine(chunk)
    if (this.engine.readableEnded) this.endClient()
    if (this.engine.destroyed) this.closed(this.engine)
  }
}
