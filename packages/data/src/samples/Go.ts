/** Go samples: Go 1.16 or newer as `go`, standard library only; built as a single file, so no module is needed. */
import { language } from "../CodeSample.ts"

export const go = language({
  name: "go",
  toolchain: {
    tool: "go",
    build: (path) => [["go", "build", "-o", "program", path]],
    run: () => ["./program"]
  },
  extension: "go",
  faulty: {
    // A type error, on one line: comments may precede a package clause.
    source: 'package main; func main() { var count int = "three"; _ = count }\n',
    padding: "// padding",
    check: (path) => ["go", "build", "-o", "program", path],
    // "./faulty.go:3:46: cannot use …"
    complaint: /^(?<path>\S+\.go):(?<line>\d+):\d+: /gm
  },
  programs: {
    echoArguments: `package main

import (
	"bufio"
	"os"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	for _, argument := range os.Args[1:] {
		out.WriteString(argument + "\\n")
	}
	if out.Flush() != nil {
		os.Exit(1)
	}
}
`,
    exitWith: `package main

import (
	"os"
	"strconv"
)

func main() {
	code, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}
`,
    writeStderr: `package main

import "os"

func main() {
	if _, err := os.Stderr.WriteString(os.Args[1] + "\\n"); err != nil {
		os.Exit(1)
	}
}
`,
    digestStdin: `package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

func main() {
	digest := sha256.New()
	if _, err := io.Copy(digest, os.Stdin); err != nil {
		panic(err)
	}
	fmt.Printf("%x\\n", digest.Sum(nil))
}
`
  }
})
