/** Text and attribute values for XML 1.0, characters that it refuses (§2.2) left out: a container's name may hold anything. */
const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;"
}

const refused = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu

export const xmlText = (text: string): string =>
  text.replace(refused, "").replace(/[&<>"']/g, (character) => entities[character] ?? "")
