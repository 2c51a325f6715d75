/**
 * python3 with ctypes: every operation through libc's `syscall` or `posix`, because minimal pythons lack modules such as json.
 */
import { hex, maxLines, missingFacts, octets, pointedHex, scratchName } from "../internal/script.ts"
import type { Probe, SyscallArgument } from "../Probe.ts"
import type { ProbeProgram, ProbeVehicle } from "../ProbeVehicle.ts"
import type { Architecture } from "../SyscallTable.ts"
import { numberOf } from "../SyscallTable.ts"

const prelude = (nonce: string): string => `import ctypes, posix
C = ctypes.CDLL(None, use_errno=True)
N = '${nonce}'
H = bytes.fromhex
def put(i, tag, rest): posix.write(1, ('%s %s %s %s\\n' % (N, i, tag, rest)).encode('ascii', 'replace'))
def line(i, b): put(i, 't', ''.join(chr(c) if 32 <= c < 127 or c == 9 else '?' for c in b[:4096]))
def guard(i, f, *a):
    try: f(i, *a)
    except OSError as e: put(i, 'no', e.errno)
    except Exception as e: put(i, 'msg', type(e).__name__)
def readtext(i, p):
    with open(p, 'rb', 0) as f:
        data = b''
        while len(data) < ${maxLines * 512}:
            part = f.read(65536)
            if not part: break
            data += part
    lines = data.split(b'\\n')
    if lines[-1] == b'': lines.pop()
    for l in lines[:${maxLines}]: line(i, l)
    put(i, 'end', 'cut' if len(lines) > ${maxLines} or len(data) >= ${maxLines * 512} else 'all')
def listdir(i, p):
    names = sorted(posix.listdir(p))
    for n in names[:${maxLines}]: line(i, n)
    put(i, 'end', 'cut' if len(names) > ${maxLines} else 'all')
def readlnk(i, p):
    line(i, posix.readlink(p)); put(i, 'end', 'all')
def openw(i, p):
    posix.close(posix.open(p, posix.O_WRONLY | posix.O_APPEND | posix.O_NONBLOCK)); put(i, 'ok', 0)
def create(i, p):
    posix.close(posix.open(p, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL, 0o600)); posix.unlink(p); put(i, 'ok', 0)
def ret(i, r): put(i, 'no', ctypes.get_errno()) if r == -1 else put(i, 'ok', r)
def sys(i, *a):
    ctypes.set_errno(0)
    ret(i, C.syscall(*[x if isinstance(x, ctypes.Array) else ctypes.c_long(x) for x in a]))
def sock(i, f, t, p):
    s = C.socket(f, t, p)
    ret(i, s)
    if s != -1: posix.close(s)
def conn(i, t, port, ip):
    s = C.socket(2, t | 0o4000, 0)
    if s == -1: return put(i, 'msg', 'socket: errno %d' % ctypes.get_errno())
    a = ctypes.create_string_buffer(b'\\2\\0' + port.to_bytes(2, 'big') + bytes(ip) + bytes(8), 16)
    ret(i, C.connect(s, a, 16)); posix.close(s)
def sig(i, p): posix.kill(p, 0); put(i, 'ok', 0)
`

const argument = (value: SyscallArgument): string =>
  typeof value === "number" ? String(value) : `ctypes.create_string_buffer(H('${pointedHex(value)}'))`

const call = (probe: Probe, program: ProbeProgram, architecture: Architecture): string => {
  switch (probe._tag) {
    case "ReadText":
      return `readtext, H('${hex(probe.path)}')`
    case "ReadLink":
      return `readlnk, H('${hex(probe.path)}')`
    case "ListDirectory":
      return `listdir, H('${hex(probe.path)}')`
    case "OpenWrite":
      return `openw, H('${hex(probe.path)}')`
    case "CreateFile":
      return `create, H('${hex(`${probe.directory}/${scratchName(program)}`)}')`
    case "OpenSocket":
      return `sock, ${probe.family}, ${probe.type}, ${probe.protocol}`
    case "Connect":
      return `conn, ${probe.transport === "tcp" ? 1 : 2}, ${probe.port}, (${octets(probe.address).join(", ")})`
    case "SignalHostPid":
      return `sig, ${program.hostPid}`
    case "Syscall":
      return `sys, ${[numberOf(probe.name, architecture), ...probe.args.map(argument)].join(", ")}`
  }
}

export const python: ProbeVehicle = {
  name: "python3",
  argv: ["python3", "-I", "-S", "-"],
  env: { LC_ALL: "C" },
  refusal: missingFacts,
  script: (program) => {
    const calls = program.probes.flatMap((probe, index) =>
      missingFacts(probe, program) === undefined
        ? [`guard(${index}, ${call(probe, program, program.architecture ?? "x86_64")})`]
        : []
    )
    return `${prelude(program.nonce)}${calls.join("\n")}\nput('-', 'done', ${calls.length})\n`
  }
}
