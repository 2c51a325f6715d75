/** Python samples: Python 3.6 or newer as `python3`, standard library only. */
import * as Effect from "effect/Effect"
import { type CodeSample, interpreter, language } from "../CodeSample.ts"
import * as CsvDataset from "../CsvDataset.ts"
import * as Dataset from "../Dataset.ts"
import * as Tree from "../Tree.ts"

export const python = language({
  name: "python",
  toolchain: interpreter("python3"),
  extension: "py",
  faulty: {
    source: "total = 1 +\n",
    padding: "# padding",
    check: (path) => ["python3", "-m", "py_compile", path],
    // File "faulty.py", line 3
    complaint: /File "(?<path>[^"]+)", line (?<line>\d+)/g
  },
  programs: {
    // Bytes, not print(): under LC_ALL=C print() refuses or rewrites what is not ASCII.
    echoArguments: `import os
import sys

for argument in sys.argv[1:]:
    sys.stdout.buffer.write(os.fsencode(argument) + b"\\n")
`,
    exitWith: `import sys

sys.exit(int(sys.argv[1]))
`,
    writeStderr: `import os
import sys

sys.stderr.buffer.write(os.fsencode(sys.argv[1]) + b"\\n")
`,
    digestStdin: `import hashlib
import sys

digest = hashlib.sha256()
for chunk in iter(lambda: sys.stdin.buffer.read(65536), b""):
    digest.update(chunk)
print(digest.hexdigest())
`
  }
})

const analysis = `import csv
import json
import math
import sys

source, target, x_name, y_name = sys.argv[1:]
with open(source, newline="") as stream:
    rows = list(csv.DictReader(stream))
x = [float(row[x_name]) for row in rows]
y = [float(row[y_name]) for row in rows]
count = len(rows)
mean_x = math.fsum(x) / count
mean_y = math.fsum(y) / count
sxx = math.fsum((a - mean_x) ** 2 for a in x)
sxy = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y))
slope = sxy / sxx
result = {
    "count": count,
    "sum": math.fsum(y),
    "mean": mean_y,
    "variance": math.fsum((b - mean_y) ** 2 for b in y) / count,
    "min": min(y),
    "max": max(y),
    "slope": slope,
    "intercept": mean_y - slope * mean_x,
}
with open(target, "w") as stream:
    json.dump(result, stream, sort_keys=True)
    stream.write("\\n")
print("analysed", count, "rows")
`

/**
 * Reads `data.csv`, writes `result.json` with count, sum, mean, (population) variance, min and max of column y, and
 * slope and intercept of its least-squares line over x; each must be within 1e-9 of the exact value.
 * Fails on a dataset without such columns or with fewer than two different x.
 */
export const dataAnalysis = Effect.fn("Python.dataAnalysis")(function* (
  dataset: Dataset.Dataset,
  columns: { readonly x: string; readonly y: string } = { x: "x", y: "y" }
): Effect.fn.Return<CodeSample, Dataset.InvalidDataset> {
  const y = yield* Dataset.summary(dataset, columns.y)
  const line = yield* Dataset.bestFit(dataset, columns.x, columns.y)
  const numbers = {
    count: y.count,
    sum: y.sum.value,
    mean: y.mean.value,
    variance: y.variance.value,
    min: y.min.value,
    max: y.max.value,
    slope: line.slope.value,
    intercept: line.intercept.value
  }
  return {
    language: python.name,
    name: "dataAnalysis",
    files: Tree.makeUnsafe([Tree.file("analyse.py", analysis), Tree.file("data.csv", CsvDataset.text(dataset))]),
    build: [],
    argv: ["python3", "analyse.py", "data.csv", "result.json", columns.x, columns.y],
    stdin: new Uint8Array(),
    expected: {
      exitCode: 0,
      stdout: `analysed ${y.count} rows\n`,
      stderr: "",
      results: [{ path: "result.json", numbers, tolerance: 1e-9 }]
    }
  }
})
