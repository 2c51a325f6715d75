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

/**
 * Node's agent with a limit for connecting, which the modem lacks: its own `connectionTimeout` covers the answer too. The modem
 * writes every request's options out in full depth for a debug log that nobody reads; an agent as it is makes that 0.3 → 5 ms.
 */
export class LimitedAgent extends Agent {
  readonly [inspect.custom] = () => "LimitedAgent"

  override createConnection(
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
