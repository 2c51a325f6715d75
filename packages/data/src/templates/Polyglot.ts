/**
 * One workspace of up to five languages: each stage reads whole numbers from standard input, maps x to (x * factor + offset) mod modulus, and
 * prints them. All read `pipeline.conf`; stages are joined by files (`run.sh`) and by a pipe (`pipe.sh`). `expected.txt` is computed here, and
 * `test.sh` compares both runs with it.
 */
import { type Command, type Template, template, type Variable } from "../ProjectTemplate.ts"
import { description, integer } from "../internal/variables.ts"

interface Stage {
  readonly tool: string
  readonly factor: number
  readonly path: string
  readonly build: ReadonlyArray<Command>
  readonly run: string
  readonly source: (factor: number) => string
}

const python = (factor: number) => `import sys

with open("pipeline.conf") as stream:
    config = dict(line.strip().split("=") for line in stream)
offset, modulus = int(config["offset"]), int(config["modulus"])
for line in sys.stdin:
    print((int(line) * ${factor} + offset) % modulus)
`

const javascript = (factor: number) => `const { readFileSync } = require("node:fs")

const lines = (path) => readFileSync(path, "utf8").trim().split("\\n")
const config = Object.fromEntries(lines("pipeline.conf").map((line) => line.split("=")))
const map = (line) => (Number(line) * ${factor} + Number(config.offset)) % Number(config.modulus)
process.stdout.write(lines(0).map((line) => map(line) + "\\n").join(""))
`

const c = (factor: number) => `#include <stdio.h>

int main(void) {
  long long offset, modulus, x;
  FILE *config = fopen("pipeline.conf", "r");
  if (config == NULL || fscanf(config, "offset=%lld modulus=%lld", &offset, &modulus) != 2) return 2;
  fclose(config);
  while (scanf("%lld", &x) == 1) printf("%lld\\n", (x * ${factor} + offset) % modulus);
  return feof(stdin) && fflush(stdout) == 0 ? 0 : 1;
}
`

const go = (factor: number) => `package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
)

func main() {
	var offset, modulus int64
	config, err := os.Open("pipeline.conf")
	if err != nil {
		panic(err)
	}
	if _, err := fmt.Fscanf(config, "offset=%d\\nmodulus=%d\\n", &offset, &modulus); err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		x, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			panic(err)
		}
		fmt.Println((x*${factor} + offset) % modulus)
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}
`

const rust = (factor: number) => `use std::error::Error;
use std::io::BufRead;

fn main() -> Result<(), Box<dyn Error>> {
    let config = std::fs::read_to_string("pipeline.conf")?;
    let get = |key: &str| -> Result<i64, Box<dyn Error>> {
        let line = config.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such key")?;
        Ok(line.parse()?)
    };
    let (offset, modulus) = (get("offset=")?, get("modulus=")?);
    for line in std::io::stdin().lock().lines() {
        println!("{}", (line?.parse::<i64>()? * ${factor} + offset) % modulus);
    }
    Ok(())
}
`

const stages: Readonly<Record<string, Stage>> = {
  python: {
    tool: "python3",
    factor: 2,
    path: "python/stage.py",
    build: [],
    run: "python3 -B python/stage.py",
    source: python
  },
  javascript: {
    tool: "node",
    factor: 3,
    path: "javascript/stage.cjs",
    build: [],
    run: "node javascript/stage.cjs",
    source: javascript
  },
  c: {
    tool: "cc",
    factor: 5,
    path: "c/stage.c",
    build: [["cc", "-std=c99", "-Wall", "-Werror", "-o", "c/stage", "c/stage.c"]],
    run: "c/stage",
    source: c
  },
  go: {
    tool: "go",
    factor: 7,
    path: "go/stage.go",
    build: [["go", "build", "-o", "go/stage", "go/stage.go"]],
    run: "go/stage",
    source: go
  },
  rust: {
    tool: "rustc",
    factor: 11,
    path: "rust/stage.rs",
    build: [["rustc", "--edition", "2021", "-o", "rust/stage", "rust/stage.rs"]],
    run: "rust/stage",
    source: rust
  }
}

const known = Object.keys(stages)

const languages: Variable = {
  description: `one to five different languages in the order of their stages, separated by commas: ${known.join(",")}`,
  fallback: known.join(","),
  fault: (value) => {
    const names = value.split(",")
    const stranger = names.find((name) => !known.includes(name))
    if (stranger !== undefined) return `names the language "${stranger}", which has no stage`
    return new Set(names).size === names.length ? undefined : "names a language twice"
  }
}

const million = 1_000_000

/** All but the last stage's output goes through a file; a failing stage ends the script with its code. */
const byFiles = (used: ReadonlyArray<Stage>) => {
  const lines = used.map(({ run }, index) => `${run} < ${index === 0 ? "numbers.txt" : `stage-${index}.txt`}`)
  const redirected = lines.map((line, index) =>
    index === lines.length - 1 ? line : `${line} > stage-${index + 1}.txt`
  )
  return `set -e\n${redirected.join("\n")}\n`
}

export const polyglot: Template = template({
  name: "polyglot",
  tools: ["sh", "cmp"],
  variables: {
    description,
    languages,
    count: integer("how many numbers go through", 1, 10_000, "100"),
    offset: integer("what every stage adds", 0, million, "17"),
    modulus: integer("what every stage divides by", 2, million, "9973")
  },
  project: (values) => {
    const used = values.languages.split(",").flatMap((name) => stages[name] ?? [])
    const [count, offset, modulus] = [Number(values.count), Number(values.offset), Number(values.modulus)]
    const numbers = Array.from({ length: count }, (_, index) => (index * index) % modulus)
    const results = numbers.map((number) => used.reduce((x, { factor }) => (x * factor + offset) % modulus, number))
    return {
      tools: used.map(({ tool }) => tool),
      build: used.flatMap(({ build }) => build),
      test: ["sh", "test.sh"],
      run: ["sh", "run.sh"],
      files: {
        "README.md": `# polyglot\n\n${values.description}\n`,
        "pipeline.conf": `offset=${offset}\nmodulus=${modulus}\n`,
        "numbers.txt": `${numbers.join("\n")}\n`,
        "expected.txt": `${results.join("\n")}\n`,
        "run.sh": byFiles(used),
        "pipe.sh": `cat numbers.txt | ${used.map(({ run }) => run).join(" | ")}\n`,
        "test.sh": `set -e\nfor way in run pipe; do\n  sh $way.sh > seen-$way.txt\n  cmp expected.txt seen-$way.txt\ndone\n`,
        ...Object.fromEntries(used.map(({ path, source, factor }) => [path, source(factor)]))
      }
    }
  }
})
