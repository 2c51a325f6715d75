/** C samples: a C99 compiler as `cc` and POSIX; SHA-256 (FIPS 180-4) is written out, since C's library has none. */
import { language } from "../CodeSample.ts"

export const c = language({
  name: "c",
  toolchain: {
    tool: "cc",
    build: (path) => [["cc", "-std=c99", "-Wall", "-Werror", "-O1", "-o", "program", path]],
    run: () => ["./program"]
  },
  extension: "c",
  faulty: {
    source: "int main(void) { return missing; }\n",
    padding: "/* padding */",
    check: (path) => ["cc", "-std=c99", "-o", "program", path],
    // gcc and clang: "faulty.c:3:24: error: …"
    complaint: /^(?<path>\S+\.c):(?<line>\d+):\d+: error: /gm
  },
  programs: {
    echoArguments: `#include <stdio.h>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) puts(argv[i]);
  return fflush(stdout) == 0 ? 0 : 1;
}
`,
    exitWith: `#include <stdlib.h>

int main(int argc, char **argv) { return argc == 2 ? atoi(argv[1]) : 64; }
`,
    writeStderr: `#include <stdio.h>

int main(int argc, char **argv) {
  return argc == 2 && fprintf(stderr, "%s\\n", argv[1]) >= 0 ? 0 : 1;
}
`,
    digestStdin: `#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static uint32_t state[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
};

static uint32_t rotate(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

static void compress(const uint8_t *block) {
  uint32_t w[64], v[8];
  for (int t = 0; t < 16; t++, block += 4)
    w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  for (int t = 16; t < 64; t++) {
    uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
    uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  memcpy(v, state, sizeof v);
  for (int t = 0; t < 64; t++) {
    uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
    uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[t] + w[t];
    uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
    uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}

int main(void) {
  uint8_t block[128];
  uint64_t length = 0;
  size_t count;
  while ((count = fread(block, 1, 64, stdin)) == 64) {
    compress(block);
    length += 64;
  }
  if (ferror(stdin)) return 1;
  length = (length + count) * 8;
  size_t end = count < 56 ? 64 : 128;
  memset(block + count, 0, end - count);
  block[count] = 0x80;
  for (int i = 1; i <= 8; i++, length >>= 8) block[end - i] = (uint8_t)length;
  for (size_t at = 0; at < end; at += 64) compress(block + at);
  for (int i = 0; i < 8; i++) printf("%08x", (unsigned)state[i]);
  printf("\\n");
  return fflush(stdout) == 0 ? 0 : 1;
}
`
  }
})
