/** Counts in JUnit XML as vitest writes it. Text that tests printed is inside CDATA and cannot be mistaken for results. */

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface Report extends Counts {
  /** The skipped ones: title, and the reason where the report has one. */
  readonly skips: ReadonlyArray<string>
}

/** Counts test cases by outcome; undefined when the text is no complete JUnit report. */
export const count = (xml: string): Report | undefined => {
  const bare = xml.replace(/<!\[CDATA\[.*?\]\]>/gs, "").replace(/<!--.*?-->/gs, "")
  if (!/<testsuites\b/.test(bare) || !/(<\/testsuites>|<testsuites\b[^>]*\/>)\s*$/.test(bare)) return undefined
  const cases = bare.match(/<testcase\b(?:[^>]*\/>|.*?<\/testcase>)/gs) ?? []
  const failed = cases.filter((one) => /<(failure|error)\b/.test(one)).length
  const skips = cases.filter((one) => /<skipped\b/.test(one)).map(describeSkip)
  // A suite that could not be loaded may be counted in the head only.
  const head = /<testsuites\b[^>]*>/.exec(bare)?.[0] ?? ""
  const claimed = attribute(head, "failures") + attribute(head, "errors")
  return {
    passed: cases.length - failed - skips.length,
    failed: Math.max(failed, claimed),
    skipped: skips.length,
    skips
  }
}

function describeSkip(testcase: string): string {
  const name = text(testcase, /<testcase\b[^>]*?\sname="([^"]*)"/)
  const reason = text(testcase, /<skipped\b[^>]*?\smessage="([^"]*)"/)
  return `${name ?? "a test without a name"}${reason === undefined ? "" : `: ${reason}`}`
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" }

const text = (xml: string, pattern: RegExp): string | undefined =>
  pattern.exec(xml)?.[1]?.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name] ?? "")

const attribute = (tag: string, name: string): number => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(tag)?.[1] ?? 0)
