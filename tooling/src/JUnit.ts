/** Counts in JUnit XML as vitest writes it. Text that tests printed is inside CDATA and cannot be mistaken for results. */

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Counts test cases by outcome; undefined when the text is no complete JUnit report. */
export const count = (xml: string): Counts | undefined => {
  const bare = xml.replace(/<!\[CDATA\[.*?\]\]>/gs, "").replace(/<!--.*?-->/gs, "")
  if (!/<testsuites\b/.test(bare) || !/(<\/testsuites>|<testsuites\b[^>]*\/>)\s*$/.test(bare)) return undefined
  const cases = bare.match(/<testcase\b(?:[^>]*\/>|.*?<\/testcase>)/gs) ?? []
  const failed = cases.filter((one) => /<(failure|error)\b/.test(one)).length
  const skipped = cases.filter((one) => /<skipped\b/.test(one)).length
  // A suite that could not be loaded may be counted in the head only.
  const head = /<testsuites\b[^>]*>/.exec(bare)?.[0] ?? ""
  const claimed = attribute(head, "failures") + attribute(head, "errors")
  return { passed: cases.length - failed - skipped, failed: Math.max(failed, claimed), skipped }
}

const attribute = (tag: string, name: string): number => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(tag)?.[1] ?? 0)
