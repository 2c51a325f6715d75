import { assert, describe, it } from "@effect/vitest"
import { parse } from "csv-parse/sync"
import * as Schema from "effect/Schema"
import { ContainerMetric, derive } from "../src/ContainerSampler.ts"
import * as SampleExport from "../src/SampleExport.ts"
import { readingAt, target } from "./readings.ts"

const nasty = 'a "quoted", name\r\nover lines; ☃'
const first = derive(target, undefined, readingAt(10, 1 / 3))
const second = derive({ ...target, name: nasty }, readingAt(10, 1 / 3), readingAt(12.5, 1 / 3))
const Json = Schema.fromJsonString(SampleExport.SampleJson)

describe("csv", () => {
  const text = SampleExport.csv([first, second], ContainerMetric.literals)
  const rows: ReadonlyArray<ReadonlyArray<string>> = parse(text, { record_delimiter: "\r\n" })
  const columns = new Map(rows[0]?.map((name, i) => [name, i]))
  const at = (row: number, column: string) => rows[row]?.[columns.get(column) ?? -1]

  it("has a header and a row a sample, all of one width, as a parser of RFC 4180 reads it", () => {
    assert.deepStrictEqual(rows[0], [
      "subject",
      "id",
      "name",
      "atMillis",
      "intervalMillis",
      "source",
      ...ContainerMetric.literals
    ])
    assert.deepStrictEqual([...new Set(rows.map((row) => row.length))], [6 + ContainerMetric.literals.length])
    assert.lengthOf(rows, 3)
  })

  it("carries names and numbers unchanged", () => {
    assert.strictEqual(at(2, "name"), nasty)
    for (const metric of ContainerMetric.literals) {
      assert.strictEqual(Number(at(2, metric)), second.values[metric] ?? Number.NaN, metric)
    }
    assert.notStrictEqual(at(2, "cpuCores"), "0.33")
  })

  it("leaves the cell of an absent metric empty, where zero is written", () => {
    assert.strictEqual(first.absent.cpuCores, "no-previous-reading")
    assert.strictEqual(at(1, "cpuCores"), "")
    assert.strictEqual(at(1, "intervalMillis"), "")
    assert.strictEqual(first.values.blockReadBytes, 0)
    assert.strictEqual(at(1, "blockReadBytes"), "0")
  })
})

describe("json", () => {
  it("says why a metric is absent and reads back the same", () => {
    for (const sample of [first, second]) {
      const read = Schema.decodeSync(Json)(Schema.encodeSync(Json)(SampleExport.toJson(sample)))
      assert.deepStrictEqual(read.values, sample.values)
      assert.deepStrictEqual(read.absent, sample.absent)
      assert.deepStrictEqual([read.name, read.atMillis], [sample.name, sample.atMillis])
      assert.deepStrictEqual([read.intervalMillis, read.source], [sample.intervalMillis, sample.source])
    }
    assert.isFalse("intervalMillis" in SampleExport.toJson(first))
  })

  it("refuses what is not a number", () => {
    const broken = { ...SampleExport.toJson(first), values: { cpuCores: Number.NaN } }
    assert.throws(() => Schema.encodeSync(Json)(broken))
  })
})
