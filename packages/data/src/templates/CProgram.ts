/**
 * A C99 program built and tested by make. Run, it reads whole numbers from standard input and prints their count and
 * sum; anything else is an error with exit code 2.
 */
import { template } from "../ProjectTemplate.ts"
import { description, program } from "../internal/variables.ts"

const sumSource = `#include "sum.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

int sum_text(const char *text, long *count, long *whole) {
  *count = *whole = 0;
  for (;;) {
    char *end;
    long number;
    while (isspace((unsigned char)*text)) text++;
    if (*text == '\\0') return 0;
    errno = 0;
    number = strtol(text, &end, 10);
    if (end == text || errno != 0 || (*end != '\\0' && !isspace((unsigned char)*end))) return -1;
    *whole += number;
    ++*count;
    text = end;
  }
}
`

const mainSource = `#include <stdio.h>

#include "sum.h"

int main(void) {
  static char text[1 << 20];
  long count, whole;
  size_t length = fread(text, 1, sizeof text - 1, stdin);
  if (ferror(stdin) || !feof(stdin) || sum_text(text, &count, &whole) != 0) {
    fprintf(stderr, "the input is no list of whole numbers within 1 MiB\\n");
    return 2;
  }
  (void)length;
  printf("%ld %ld\\n", count, whole);
  return fflush(stdout) == 0 ? 0 : 1;
}
`

const testSource = `#include <stdio.h>

#include "../src/sum.h"

static int failures = 0;

static void check(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "failed: %s\\n", what);
  failures++;
}

int main(void) {
  long count, whole;
  check(sum_text("1 -2\\n40\\n", &count, &whole) == 0 && count == 3 && whole == 39, "counts and sums");
  check(sum_text("", &count, &whole) == 0 && count == 0 && whole == 0, "sums nothing to zero");
  check(sum_text("1 x", &count, &whole) != 0, "refuses what is no number");
  return failures == 0 ? 0 : 1;
}
`

export const cProgram = template({
  name: "c-program",
  tools: ["cc", "make"],
  variables: { name: program, description },
  project: ({ name, description }) => ({
    build: [["make"]],
    test: ["make", "test"],
    run: [`./build/${name}`],
    files: {
      "README.md": `# ${name}\n\n${description}\n`,
      Makefile: `CC ?= cc
CFLAGS ?= -O1
ALL_CFLAGS = -std=c99 -Wall -Wextra -Werror $(CFLAGS)

.PHONY: all test clean
all: build/${name}

build/${name}: src/main.c src/sum.c src/sum.h
	@mkdir -p build
	$(CC) $(ALL_CFLAGS) -o $@ src/main.c src/sum.c

build/test_sum: tests/test_sum.c src/sum.c src/sum.h
	@mkdir -p build
	$(CC) $(ALL_CFLAGS) -o $@ tests/test_sum.c src/sum.c

test: build/test_sum
	./build/test_sum

clean:
	rm -rf build
`,
      "src/sum.h": `#ifndef SUM_H
#define SUM_H

/* Count and sum of the whole numbers in a text; 0, or -1 when a word is none. */
int sum_text(const char *text, long *count, long *whole);

#endif
`,
      "src/sum.c": sumSource,
      "src/main.c": mainSource,
      "tests/test_sum.c": testSource
    }
  })
})
