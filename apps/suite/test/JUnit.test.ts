import { assert, describe, it } from "@effect/vitest"
import * as RunReport from "@sbx/core/RunReport"
import * as Verdict from "@sbx/core/Verdict"
import * as Schema from "effect/Schema"
import { create } from "xmlbuilder2"
import * as JUnit from "../src/reporting/JUnit.ts"
import { sample } from "./support/sampleReport.ts"

const Attributes = Schema.Record(Schema.String, Schema.String)

/** The document as elements with attributes and text: what a CI system reads. */
interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
  readonly children: ReadonlyArray<Element>
}

const parse = (xml: string): Element => {
  const visit = (node: ReturnType<typeof create>): Element => {
    const found: Array<Element> = []
    let text = ""
    const attributes: Record<string, string> = {}
    const element = node.node
    if ("attributes" in element && Symbol.iterator in Object(element.attributes)) {
      for (const attribute of Object(element.attributes)) attributes[attribute.name] = attribute.value
    }
    node.each((child) => {
      if (child.node.nodeName === "#text") text += child.node.nodeValue ?? ""
      else if (!child.node.nodeName.startsWith("#")) found.push(visit(child))
    })
    return {
      name: element.nodeName,
      attributes: Schema.decodeSync(Attributes)(attributes),
      text,
      children: found
    }
  }
  return visit(create(xml).root())
}

const all = (element: Element, name: string): ReadonlyArray<Element> => [
  ...(element.name === name ? [element] : []),
  ...element.children.flatMap((child) => all(child, name))
]

const caseOf = (root: Element, name: string): Element => {
  const found = all(root, "testcase").find(({ attributes }) => attributes["name"] === name)
  assert.isDefined(found)
  return found
}

const root = parse(JUnit.make(sample))

describe("junit.xml", () => {
  it("has a suite per category, with counts that add up", () => {
    assert.strictEqual(root.name, "testsuites")
    assert.deepInclude(root.attributes, {
      name: "run_sample",
      tests: "5",
      failures: "1",
      errors: "2",
      skipped: "1",
      time: "2.500"
    })
    const suites = root.children.filter(({ name }) => name === "testsuite")
    assert.deepStrictEqual(
      suites.map(({ attributes }) => [
        attributes["name"],
        attributes["tests"],
        attributes["failures"],
        attributes["errors"]
      ]),
      [
        ["a", "2", "1", "0"],
        ["b", "3", "0", "2"]
      ]
    )
    assert.strictEqual(suites[0]?.attributes["timestamp"], "2023-11-14T22:13:20")
  })

  it("tells a fail from an unknown, and neither passes", () => {
    const failure = caseOf(root, "a/fails").children.find(({ name }) => name === "failure")
    assert.strictEqual(failure?.attributes["message"], "expected 1 | 2,")
    assert.strictEqual(failure?.text, "expected 1 | 2,\nfound 3")
    const error = caseOf(root, "b/unknown").children.find(({ name }) => name === "error")
    assert.strictEqual(error?.attributes["message"], "no engine answered")
    assert.strictEqual(all(caseOf(root, "b/unfinished"), "error").length, 1)
    assert.strictEqual(
      all(caseOf(root, "a/passes"), "failure").length + all(caseOf(root, "a/passes"), "error").length,
      0
    )
  })

  it("says why a scenario was left out", () => {
    const [skipped] = all(caseOf(root, "b/skipped"), "skipped")
    assert.strictEqual(skipped?.attributes["message"], "it takes long")
  })

  it("carries evidence as properties and steps as output, without characters that XML refuses", () => {
    const values = (name: string) =>
      Object.fromEntries(
        all(caseOf(root, name), "property").map(({ attributes }) => [attributes["name"], attributes["value"]])
      )
    assert.deepStrictEqual(values("a/passes"), { seed: "42/a/passes", startMillis: '{"mean":212.3456,"p95":260}' })
    assert.deepStrictEqual(values("a/fails"), {
      said: 'bell , escape , nul , lone , <tag> & "quotes"'
    })
    assert.strictEqual(all(caseOf(root, "a/passes"), "system-out")[0]?.text, "ok start (0.480 s)")
  })

  const Report = RunReport.RunReport
  it.prop("can be read back whatever a run says", [Schema.String, Schema.String], ([reason, key]) => {
    const [first] = sample.scenarios
    assert.isDefined(first)
    const odd = { ...first, verdict: Verdict.fail(reason), reason, evidence: { [key]: reason } }
    const report = Schema.decodeSync(Report)({ ...sample, scenarios: [odd] })
    const [failure] = all(parse(JUnit.make(report)), "failure")
    assert.isDefined(failure)
  })
})
