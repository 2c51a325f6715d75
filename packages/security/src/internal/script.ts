/** What the script vehicles share: bounds, encodings that need no quoting, and the refusal of probes without numbers. */
import type { Probe, SyscallArgument } from "../Probe.ts"
import type { ProbeProgram } from "../ProbeVehicle.ts"

/** Lines and bytes per line that a reading may have; more is cut and said so. */
export const maxLines = 2000

/** Bytes of a text as hex, so that no language's quoting matters. */
export const hex = (text: string): string =>
  [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** The bytes behind a pointer argument as hex: text with its NUL, or a buffer that begins with `head` in little-endian. */
export const pointedHex = (value: Exclude<SyscallArgument, number>): string => {
  if ("text" in value) return `${hex(value.text)}00`
  const view = new DataView(new ArrayBuffer(Math.max(value.bufferBytes, 8)))
  view.setBigUint64(0, BigInt(value.head), true)
  return [...new Uint8Array(view.buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}

/** Four octets of an IPv4 address. */
export const octets = (address: string): ReadonlyArray<number> => address.split(".").map(Number)

/** Name of the file that a creation probe makes and unlinks. */
export const scratchName = (program: ProbeProgram): string => `.sbx-probe-${program.nonce}`

/** What no vehicle can carry in this program. */
export const missingFacts = (probe: Probe, program: ProbeProgram): string | undefined => {
  if (probe._tag === "Syscall" && program.architecture === undefined) return "system call numbers are not known here"
  if (probe._tag === "SignalHostPid" && program.hostPid === undefined) return "the engine does not say the host pid"
  return undefined
}
