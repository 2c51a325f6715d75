/** A fake engine whose containers answer commands as a script says: to see what probes make of engines that lie. */
import type { Exchange, Routes } from "./FakeDocker.ts"
import { frame, hostMemoryBytes, upgradeHead } from "./FakeDocker.ts"

export interface Outcome {
  readonly exitCode?: number
  readonly stdout?: string
}

interface CreateBody {
  readonly HostConfig: { readonly SecurityOpt?: ReadonlyArray<string>; readonly StorageOpt?: object }
}

export interface Script {
  /** What a command does in a container that was created so. */
  readonly exec: (command: string, created: CreateBody["HostConfig"]) => Outcome
  readonly info?: object
  /** Never answers a start. */
  readonly hangs?: boolean
}

const info = {
  ID: "scripted",
  ServerVersion: "20.10.24",
  NCPU: 4,
  MemTotal: hostMemoryBytes,
  Driver: "overlay2",
  CgroupVersion: "2",
  CgroupDriver: "systemd",
  KernelVersion: "0.0.0-elsewhere"
}

class Scripted {
  readonly created = new Map<string, CreateBody["HostConfig"]>()
  readonly execs = new Map<string, Outcome>()
  readonly removed: Array<string> = []
  readonly script: Script
  constructor(script: Script) {
    this.script = script
  }

  readonly answer = (exchange: Exchange) => {
    const [, kind = "", id = "", verb = ""] = exchange.path.split("/")
    const { method, json, response } = exchange
    if (kind === "_ping") return void response.end("OK")
    if (kind === "volumes")
      return json(method === "DELETE" ? 204 : 201, {
        Name: "v",
        Labels: { "sbx.probe": "1" },
        Options: driverOptions(exchange)
      })
    if (kind === "exec") return this.exec(exchange, id, verb)
    if (method === "DELETE") {
      this.removed.push(id)
      return void response.writeHead(204).end()
    }
    return this.container(exchange, id, verb)
  }

  private container({ json, response, body, query }: Exchange, id: string, verb: string) {
    if (id === "create") {
      const name = query.get("name") ?? ""
      this.created.set(name, (JSON.parse(body) as CreateBody).HostConfig)
      return json(201, { Id: name })
    }
    if (verb === "exec") {
      const execId = `exec${this.execs.size}`
      const argv = (JSON.parse(body) as { Cmd: ReadonlyArray<string> }).Cmd
      this.execs.set(execId, this.script.exec(argv.join(" "), this.created.get(id) ?? {}))
      return json(201, { Id: execId })
    }
    if (verb === "start" && this.script.hangs !== true) response.writeHead(204).end()
  }

  private exec({ socket, json }: Exchange, id: string, verb: string) {
    const outcome = this.execs.get(id)
    if (verb === "json") return json(200, { Running: false, ExitCode: outcome?.exitCode ?? 0, Pid: 9 })
    socket.write(upgradeHead)
    socket.end(frame(1, outcome?.stdout ?? ""))
  }
}

const driverOptions = ({ body, method }: Exchange): unknown =>
  method === "POST" ? (JSON.parse(body) as { DriverOpts: unknown }).DriverOpts : null

export const scripted = (script: Script) => {
  const engine = new Scripted(script)
  const routes: Routes = {
    "GET /info": ({ json }) => json(200, { ...info, ...script.info }),
    "*": engine.answer
  }
  return { routes, created: engine.created, removed: engine.removed }
}
