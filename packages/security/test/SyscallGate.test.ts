/** The errno rule: only the gate's own refusal is evidence. */
import { assert, describe, it } from "@effect/vitest"
import * as Errno from "../src/Errno.ts"
import type { Answer } from "../src/Evidence.ts"
import { type Gate, judgeGates } from "../src/internal/syscallGate.ts"
import { keyOf, syscall } from "../src/Probe.ts"

const gateOf = (name: "bpf" | "kcmp"): Gate => ({
  probe: syscall(name, [0]),
  gate: ["EPERM"],
  open: ["EINVAL"],
  absent: ["ENOSYS"]
})
const gates = [gateOf("bpf"), gateOf("kcmp")]

const refused = (name: Errno.ErrnoName): Answer => ({ _tag: "Refused", errno: Errno.numberOf(name) })
const verdict = (first: Answer, second: Answer, atLeast = 1) =>
  judgeGates(
    gates,
    atLeast
  )({
    answers: new Map(gates.map((gate, index) => [keyOf(gate.probe), index === 0 ? first : second])),
    inspect: undefined
  })._tag

const denied = refused("EPERM")

describe("a gate", () => {
  it("holds when its own errno refuses", () => {
    assert.strictEqual(verdict(denied, denied), "Held")
    assert.strictEqual(verdict(denied, refused("ENOSYS")), "Held")
  })

  it("is breached by success and by the errno of the kernel behind it", () => {
    assert.strictEqual(verdict(denied, { _tag: "Done", value: 0 }), "Breached")
    assert.strictEqual(verdict(denied, refused("EINVAL")), "Breached")
  })

  it("proves nothing by an errno that neither side gives", () => {
    assert.strictEqual(verdict(denied, refused("ENOMEM")), "NotRun")
    assert.strictEqual(verdict(denied, { _tag: "Unanswered", reason: "lost" }), "NotRun")
  })

  it("has no object where the kernel lacks all of it", () => {
    assert.strictEqual(verdict(refused("ENOSYS"), refused("ENOSYS")), "NotApplicable")
  })

  it("needs as many refusals as it asks for", () => {
    assert.strictEqual(verdict(denied, refused("ENOSYS"), 2), "NotRun")
    assert.strictEqual(verdict(denied, denied, 2), "Held")
  })
})

describe("error texts", () => {
  it.each([
    ["sh: can't create /x: Read-only file system", "EROFS"],
    ["sh: can't open /proc/x: no such file", "ENOENT"],
    ["dash: 1: cannot open /x: Permission denied", "EACCES"],
    ["sh: can't kill pid 99: No such process", "ESRCH"],
    ["sh: kill: (1) - Operation not permitted", "EPERM"]
  ] as const)("%s", (message, name) => {
    assert.strictEqual(Errno.ofText(message), Errno.numberOf(name))
  })

  it("gives no number to a text that it does not know", () => {
    assert.isUndefined(Errno.ofText("applet not found"))
  })
})
