/**
 * The competitor by its own means: dockerode as its README shows it, one client, no checks of ours in between.
 * Reads the body that our sandbox was made with back from the engine, so that both sides ask for the same container.
 */
import type { EngineEndpoint } from "@sbx/engine/Engine"
import Docker from "dockerode"
import * as Effect from "effect/Effect"
import { BenchmarkFailed } from "../Benchmark.ts"

export type RawDocker = Docker

/** One client as a program would keep it. Refuses endpoints other than a unix socket or plain TCP. */
export const connect = (endpoint: EngineEndpoint): Docker => {
  const url = new URL(endpoint.address)
  return url.protocol === "unix:"
    ? new Docker({ socketPath: url.pathname })
    : new Docker({ protocol: "http", host: url.hostname, port: url.port })
}

/** A promise of the competitor; its rejection means that nothing was measured. */
export const attempt = <A>(benchmark: string, run: () => Promise<A>): Effect.Effect<A, BenchmarkFailed> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new BenchmarkFailed({ benchmark, detail: cause instanceof Error ? cause.message : String(cause) })
  })

/** What the engine says our container was created with, ready for another create: without name, labels and volumes of ours. */
export interface Body {
  readonly config: Docker.ContainerCreateOptions
  /** Path of the workspace's mount inside. */
  readonly target: string
}

export const bodyOf = async (docker: Docker, containerId: string): Promise<Body> => {
  const { Config: config, HostConfig: host } = await docker.getContainer(containerId).inspect()
  const mounts = host.Mounts ?? []
  return {
    target: mounts[0]?.Target ?? "/workspace",
    config: {
      Image: config.Image,
      Entrypoint: config.Entrypoint ?? [],
      Env: config.Env,
      User: config.User,
      WorkingDir: config.WorkingDir,
      Hostname: config.Hostname,
      // Only present in the answer where it is true, and missing from the client's types of it.
      ...("NetworkDisabled" in config ? { NetworkDisabled: config.NetworkDisabled === true } : {}),
      ...("StopTimeout" in config ? { StopTimeout: Number(config.StopTimeout) } : {}),
      ...("StopSignal" in config ? { StopSignal: String(config.StopSignal) } : {}),
      ...("Healthcheck" in config ? { Healthcheck: { Test: ["NONE"] } } : {}),
      HostConfig: { ...host, Mounts: [] }
    }
  }
}

/**
 * Creates and starts a container with the body, on a volume that exists. Resolves to the container. The client would otherwise put
 * the whole body, some 10 kB with its seccomp profile, into the address as well, encoded, for the engine to read twice.
 */
export const createAndStart = async (
  docker: Docker,
  body: Body,
  options: { readonly name: string; readonly volume: string; readonly labels: Record<string, string> }
): Promise<Docker.Container> => {
  const whole = {
    ...body.config,
    Labels: options.labels,
    HostConfig: {
      ...body.config.HostConfig,
      Mounts: [{ Type: "volume", Source: options.volume, Target: body.target, VolumeOptions: noCopy }]
    }
  } satisfies Docker.ContainerCreateOptions
  const split: Docker.ContainerCreateOptions & Split = { _query: { name: options.name }, _body: whole }
  const container = await docker.createContainer(split)
  await container.start()
  return container
}

/** docker-modem's own way to say what goes where; its types do not know it. */
interface Split {
  readonly _query: { readonly name: string }
  readonly _body: Docker.ContainerCreateOptions
}

const noCopy = { NoCopy: true, Labels: {}, DriverConfig: { Name: "", Options: {} } }

/** Exec, output read to its end, exit code by inspect. */
export const execAndInspect = async (container: Docker.Container, argv: ReadonlyArray<string>): Promise<number> => {
  const exec = await container.exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true })
  const stream = await exec.start({ hijack: true, stdin: false })
  await new Promise<void>((resolve, reject) => {
    stream.once("end", () => resolve())
    stream.once("close", () => resolve())
    stream.once("error", reject)
    stream.resume()
  })
  const { ExitCode: code } = await exec.inspect()
  if (code === null) throw new Error("the exec has no exit code yet")
  return code
}
