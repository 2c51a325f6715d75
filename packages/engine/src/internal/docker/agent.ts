/** Node's connection pool for the modem, with a limit for connecting. */
import type { AgentOptions, ClientRequestArgs } from "node:http"
import { Agent } from "node:http"
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { inspect } from "node:util"

/** A unix socket connects at once or not at all; TCP may find a host that drops what it gets. */
export const connectMillis = 5_000
/** As Node's own agent: an idle connection is given up. */
export const agentOptions: AgentOptions = { keepAlive: true, scheduling: "lifo", timeout: 5_000 }

/** The connection was not made in time; `transportError` names the call. */
export class ConnectTimeout extends Error {}

/** Connected, and used by no call yet. */
interface Spare {
  readonly socket: Socket
  readonly drop: () => void
}

const dropEvents = ["error", "end", "close", "timeout"] as const

/**
 * Node's agent with a limit for connecting, which the modem lacks: its own `connectionTimeout` covers the answer too. The modem
 * writes every request's options out in full depth for a debug log that nobody reads; an agent as it is makes that 0.3 → 5 ms.
 */
export class LimitedAgent extends Agent {
  private latest: ClientRequestArgs | undefined
  private spare: Spare | undefined
  readonly [inspect.custom] = () => "LimitedAgent"

  /**
   * Connects ahead of the next call where the pool has nothing for it: an upgrade takes a connection away for good, and while its
   * process runs there is time to make another. All calls of an agent go to the one host of its modem.
   */
  readonly prepare = (): void => {
    if (this.latest === undefined || this.spare !== undefined || Object.keys(this.freeSockets).length > 0) return
    const socket = this.connect(this.latest)
    if (!(socket instanceof Socket)) return
    const drop = () => {
      if (this.spare?.socket === socket) this.spare = undefined
      socket.destroy()
    }
    // As the pool does: it keeps no process alive, and is given up when idle.
    for (const event of dropEvents) socket.on(event, drop)
    this.spare = { socket: socket.unref(), drop }
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void
  ): Duplex | null | undefined {
    this.latest = options
    if (this.spare === undefined || this.spare.socket.connecting) return this.connect(options, callback)
    const { socket, drop } = this.spare
    this.spare = undefined
    for (const event of dropEvents) socket.off(event, drop)
    return socket.ref()
  }

  private connect(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void
  ): Duplex | null | undefined {
    const stream = super.createConnection(options, callback)
    if (!(stream instanceof Socket) || !stream.connecting) return stream
    const overdue = () => stream.destroy(new ConnectTimeout())
    stream.setTimeout(connectMillis, overdue)
    stream.once("connect", () => {
      stream.off("timeout", overdue)
      stream.setTimeout(options.timeout ?? 0)
    })
    return stream
  }
}
