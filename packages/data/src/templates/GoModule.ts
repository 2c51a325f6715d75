/**
 * A Go module with a package and its tests, for Go 1.21 or newer without dependencies. Run, it reads whole numbers from
 * standard input and prints their count and sum; anything else is an error with exit code 2.
 */
import { template } from "../ProjectTemplate.ts"
import { description, goModule } from "../internal/variables.ts"

export const goModuleTemplate = template({
  name: "go-module",
  tools: ["go"],
  variables: { module: goModule, description },
  project: ({ module, description }) => ({
    build: [["go", "build", "-o", "build/program", "."]],
    test: ["go", "test", "./..."],
    run: ["./build/program"],
    files: {
      "README.md": `# ${module}\n\n${description}\n`,
      "go.mod": `module ${module}\n\ngo 1.21\n`,
      "main.go": `package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"${module}/sum"
)

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	count, whole, err := sum.Total(strings.Fields(string(input)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(count, whole)
}
`,
      "sum/sum.go": `// Package sum counts and sums whole numbers given as text.
package sum

import "strconv"

// Total is the count and sum of the words, or the first error.
func Total(words []string) (int, int64, error) {
	var whole int64
	for _, word := range words {
		number, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		whole += number
	}
	return len(words), whole, nil
}
`,
      "sum/sum_test.go": `package sum

import "testing"

func TestTotal(t *testing.T) {
	count, whole, err := Total([]string{"1", "-2", "40"})
	if count != 3 || whole != 39 || err != nil {
		t.Fatal(count, whole, err)
	}
}

func TestTotalRefusesWhatIsNoNumber(t *testing.T) {
	if _, _, err := Total([]string{"1", "x"}); err == nil {
		t.Fatal("no error")
	}
}
`
    }
  })
})
