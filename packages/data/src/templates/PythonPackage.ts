/**
 * A Python package in src layout with unittest tests, for Python 3.8 or newer without packages. Run, it reads whole
 * numbers from standard input and prints their count and sum; anything else is an error with exit code 2.
 */
import { template } from "../ProjectTemplate.ts"
import { description, pythonDistribution, pythonModule, version } from "../internal/variables.ts"

const mainSource = (module: string) => `import sys

from ${module} import total


def main():
    try:
        count, whole = total(sys.stdin.read().split())
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(count, whole)
    return 0


if __name__ == "__main__":
    sys.exit(main())
`

const testSource = (module: string) => `import unittest

import ${module}


class TotalTest(unittest.TestCase):
    def test_counts_and_sums(self):
        self.assertEqual(${module}.total(["1", "-2", "40"]), (3, 39))

    def test_sums_nothing_to_zero(self):
        self.assertEqual(${module}.total([]), (0, 0))

    def test_refuses_what_is_no_number(self):
        with self.assertRaises(ValueError):
            ${module}.total(["1", "x"])


if __name__ == "__main__":
    unittest.main()
`

export const pythonPackage = template({
  name: "python-package",
  tools: ["python3"],
  variables: { name: pythonDistribution, version, description },
  project: (values) => {
    const module = pythonModule(values.name)
    const python = ["env", "PYTHONPATH=src", "python3", "-B", "-m"]
    return {
      test: [...python, "unittest", "discover", "-s", "tests"],
      run: [...python, module],
      files: {
        "README.md": `# ${values.name}\n\n${values.description}\n`,
        "pyproject.toml": `[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "${values.name}"
version = "${values.version}"
description = ${JSON.stringify(values.description)}
requires-python = ">=3.8"

[project.scripts]
${values.name.replaceAll(".", "-")} = "${module}.__main__:main"

[tool.setuptools.packages.find]
where = ["src"]
`,
        [`src/${module}/__init__.py`]: `__version__ = "${values.version}"


def total(words):
    """Count and sum of whole numbers given as text; ValueError for anything else."""
    numbers = [int(word) for word in words]
    return len(numbers), sum(numbers)
`,
        [`src/${module}/__main__.py`]: mainSource(module),
        "tests/test_total.py": testSource(module)
      }
    }
  }
})
