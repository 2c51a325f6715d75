/**
 * Text that a sandbox may have written, made safe to show: without escape sequences, which would let a workload repaint the
 * terminal that reports on it, and without characters that XML 1.0 §2.2 refuses.
 */

/** Control sequences and operating system commands, ECMA-48 §5.4 and §8.3.89, then every control but tab and line feed. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const sequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-Z\\^-~])/g
const controls = /[^\t\n\u{20}-\u{7E}\u{A0}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu

export const printable = (text: string): string => text.replace(sequences, "").replace(controls, "")
