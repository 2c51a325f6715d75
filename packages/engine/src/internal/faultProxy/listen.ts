/** The proxy's socket: a tunnel for each connection, none left when it closes. */
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import type { NetConnectOpts, Server, Socket } from "node:net"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Surroundings } from "./tunnel.ts"
import { Tunnel } from "./tunnel.ts"

export interface Running {
  readonly socketPath: string
  readonly close: () => void
}

/** What `node:net` connects to; absent for other kinds of address. */
export const upstreamOf = (address: string): NetConnectOpts | undefined => {
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  if (url.protocol === "unix:" && url.pathname.length > 1) return { path: decodeURIComponent(url.pathname) }
  if (url.protocol !== "tcp:" || url.hostname === "") return undefined
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port || 2375) }
}

const accept = (upstream: NetConnectOpts, around: Surroundings, tunnels: Set<Tunnel>) => (client: Socket) => {
  // Both ends may close one direction only: an exec's standard input ends before its output.
  const engine = connect({ ...upstream, allowHalfOpen: true })
  const tunnel = new Tunnel(client, engine, around)
  tunnels.add(tunnel)
  client.on("close", () => tunnels.delete(tunnel))
}

/** Resolves when it accepts connections; fails with the reason when it cannot. */
export const listen = (upstream: NetConnectOpts, socketPath: string | undefined, around: Surroundings) =>
  Effect.callback<Running, string>((resume) => {
    const folder = socketPath === undefined ? mkdtempSync(join(tmpdir(), "sbx-proxy-")) : undefined
    const path = socketPath ?? join(folder ?? "", "docker.sock")
    const removeFolder = () => folder !== undefined && rmSync(folder, { recursive: true, force: true })
    const tunnels = new Set<Tunnel>()
    const server: Server = createServer({ allowHalfOpen: true }, accept(upstream, around, tunnels))
    server.on("error", (error) => {
      removeFolder()
      resume(Effect.fail(error.message))
    })
    server.listen(path, () =>
      resume(
        Effect.succeed({
          socketPath: path,
          close: () => {
            server.close()
            for (const tunnel of tunnels) tunnel.destroy()
            removeFolder()
          }
        })
      )
    )
  })
