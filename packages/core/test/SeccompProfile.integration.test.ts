import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as ExpectExec from "../src/ExpectExec.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import type { Loosening } from "../src/SandboxSpec.ts"
import { baseImage, sandboxesLayer } from "./support/sandboxesLayer.ts"

const EPERM = 1
const ENOSYS = 38

interface Probe {
  /** Numbers on x86_64 and aarch64 (kernel syscall tables). */
  readonly numbers: readonly [number, number]
  /** Arguments without side effect even where the call is allowed; a NULL pointer as 0, a buffer as `$b`. */
  readonly args: string
  readonly held: number
}

const probe = (numbers: Probe["numbers"], args: string, held = EPERM): Probe => ({ numbers, args, held })

/** Each is refused by the filter with its own errno, and answers something else without it. */
const probes: Readonly<Record<string, Probe>> = {
  io_setup: probe([206, 0], "8, $b"),
  io_uring_setup: probe([425, 425], "0, 0"),
  unshare: probe([272, 97], "0"),
  setns: probe([308, 268], "-1, 0"),
  keyctl: probe([250, 219], "0, -3, 0"),
  ptrace_traceme: probe([101, 117], "0, 0, 0, 0"),
  process_vm_readv: probe([310, 270], "$$, 0, 0, 0, 0, 0"),
  userfaultfd: probe([323, 282], "-1"),
  bpf: probe([321, 280], "9999, 0, 0"),
  perf_event_open: probe([298, 241], "0, 0, 0, 0, 0"),
  get_mempolicy: probe([239, 236], "0, 0, 0, 0, 0"),
  personality_no_aslr: probe([135, 92], "0x40000"),
  sync: probe([162, 81], ""),
  clone3: probe([435, 435], "0, 0", ENOSYS),
  socket_vsock: probe([41, 198], "40, 1, 0"),
  socket_netlink_generic: probe([41, 198], "16, 3, 16")
}

/** One line `<name> <errno, 0 for success>` a probe, by perl's `syscall`, which needs no module. */
const script = (architecture: 0 | 1) =>
  [
    String.raw`my $b = "\0" x 256;`,
    ...Object.entries(probes).map(
      ([name, { numbers, args }]) =>
        `$! = 0; my $r_${name} = syscall(${[numbers[architecture], ...(args === "" ? [] : [args])].join(", ")}); ` +
        String.raw`printf "%s %d\n", "${name}", $r_${name} == -1 ? $! + 0 : 0;`
    )
  ].join("\n")

const makeSandbox = Effect.fnUntraced(function* (loosening: Loosening = {}) {
  const sandboxes = yield* Sandboxes
  return yield* sandboxes.make({ image: yield* baseImage, loosening, tmp: "16M" })
})

const answers = Effect.fnUntraced(function* (loosening: Loosening) {
  const box = yield* makeSandbox(loosening)
  const machine = yield* box.execOk(["uname", "-m"])
  const stdin = script(machine.stdout.trim() === "aarch64" ? 1 : 0)
  const { stdout } = yield* box.execOk(["perl", "-"], { stdin })
  const lines = stdout.trim().split("\n")
  return Object.fromEntries(
    lines.map((line): [string, number] => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])])
  )
})

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("the syscall filter", (it) => {
  it.effect("refuses each call with its own errno, where without it the kernel answers otherwise", () =>
    Effect.gen(function* () {
      const held = yield* answers({})
      const open = yield* answers({ seccomp: "unconfined" })
      const powerless: Array<string> = []
      for (const [name, { held: errno }] of Object.entries(probes)) {
        assert.strictEqual(held[name], errno, `${name} under the filter`)
        assert.isDefined(open[name], name)
        if (open[name] === errno) powerless.push(name)
      }
      // A kernel may refuse some to everybody (kernel.io_uring_disabled, kernel.unprivileged_bpf_disabled…); that shows nothing.
      yield* Effect.logInfo(`probes without power on this kernel: ${powerless.join(", ") || "none"}`)
      for (const name of ["io_setup", "unshare", "setns", "keyctl", "ptrace_traceme", "socket_vsock", "clone3"]) {
        assert.notInclude(powerless, name)
      }
    })
  )

  it.effect("refuses a new user namespace by clone, which works without it", () =>
    Effect.gen(function* () {
      // CLONE_NEWUSER | SIGCHLD; the child of an allowed clone leaves at once.
      const clone =
        "my $r = syscall(56, 0x10000011, 0, 0, 0, 0); if ($r == 0) { syscall(231, 0) } print $r == -1 ? $! + 0 : 0"
      const run = Effect.fnUntraced(function* (loosening: Loosening) {
        const box = yield* makeSandbox(loosening)
        const machine = (yield* box.execOk(["uname", "-m"])).stdout.trim()
        const stdin = machine === "aarch64" ? clone.replace("56", "220").replace("231", "94") : clone
        return (yield* box.execOk(["perl", "-"], { stdin })).stdout
      })
      assert.strictEqual(yield* run({}), "1")
      assert.strictEqual(yield* run({ seccomp: "unconfined" }), "0")
    })
  )

  it.effect.each([
    ["a pipeline", ["sh", "-c", "seq 100 | sort -rn | head -1"], "100\n"],
    ["perl", ["perl", "-e", "print 6 * 7"], "42"],
    ["a fifo", ["sh", "-c", "mkfifo f && (echo through > f & cat f)"], "through\n"],
    ["tar", ["sh", "-c", "echo x > a && tar cf t.tar a && rm a && tar xf t.tar && cat a"], "x\n"],
    ["sleep and signals", ["sh", "-c", "sleep 30 & kill $! && wait $!; echo $?"], "143\n"],
    [
      "python threads",
      [
        "python3",
        "-c",
        "import threading as t; x=[]; h=t.Thread(target=lambda: x.append(7)); h.start(); h.join(); print(x)"
      ],
      "[7]\n"
    ],
    [
      "python subprocesses",
      ["python3", "-c", "import subprocess as s; print(s.run(['echo', 'hi'], capture_output=True, text=True).stdout)"],
      "hi\n\n"
    ],
    [
      "python sockets",
      ["python3", "-c", "import socket as s; a, b = s.socketpair(); a.send(b'x'); print(b.recv(1), s.if_nameindex())"],
      "b'x' [(1, 'lo')]\n"
    ]
  ] as const)("lets ordinary programs run: %s", ([, argv, expected]) =>
    Effect.gen(function* () {
      const box = yield* makeSandbox()
      const result = yield* box.exec(argv)
      yield* ExpectExec.succeeded(result)
      yield* ExpectExec.stdout(result, expected)
    })
  )
})
