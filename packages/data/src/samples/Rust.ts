/** Rust samples: Rust 1.61 or newer as `rustc`, standard library only; SHA-256 (FIPS 180-4) is written out for that. */
import { language } from "../CodeSample.ts"

const rustc = ["rustc", "--edition", "2021"]

export const rust = language({
  name: "rust",
  toolchain: {
    tool: "rustc",
    build: (path) => [[...rustc, "-O", "-o", "program", path]],
    run: () => ["./program"]
  },
  extension: "rs",
  faulty: {
    source: 'fn main() { let _count: u32 = "three"; }\n',
    padding: "// padding",
    check: (path) => [...rustc, "--emit", "metadata", "-o", "program", path],
    // " --> faulty.rs:3:31"
    complaint: /^ *--> (?<path>\S+\.rs):(?<line>\d+):\d+$/gm
  },
  programs: {
    // args_os(), not args(): the latter panics on what is not UTF-8.
    echoArguments: `use std::io::Write;
use std::os::unix::ffi::OsStrExt;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for argument in std::env::args_os().skip(1) {
        out.write_all(argument.as_bytes())?;
        out.write_all(b"\\n")?;
    }
    out.flush()
}
`,
    exitWith: `fn main() {
    let code = std::env::args().nth(1).expect("a code").parse().expect("a number");
    std::process::exit(code);
}
`,
    writeStderr: `fn main() {
    eprintln!("{}", std::env::args().nth(1).expect("a line"));
}
`,
    digestStdin: `use std::io::Read;

const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
];

fn compress(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for t in 0..16 {
        w[t] = u32::from_be_bytes([block[4 * t], block[4 * t + 1], block[4 * t + 2], block[4 * t + 3]]);
    }
    for t in 16..64 {
        let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ (w[t - 15] >> 3);
        let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ (w[t - 2] >> 10);
        w[t] = w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1);
    }
    let mut v = *state;
    for t in 0..64 {
        let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
        let choose = (v[4] & v[5]) ^ (!v[4] & v[6]);
        let t1 = v[7].wrapping_add(s1).wrapping_add(choose).wrapping_add(K[t]).wrapping_add(w[t]);
        let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
        let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        v.rotate_right(1);
        v[4] = v[4].wrapping_add(t1);
        v[0] = t1.wrapping_add(s0).wrapping_add(majority);
    }
    for i in 0..8 {
        state[i] = state[i].wrapping_add(v[i]);
    }
}

fn main() -> std::io::Result<()> {
    let mut state: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
    ];
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    let bits = bytes.len() as u64 * 8;
    bytes.push(0x80);
    while bytes.len() % 64 != 56 {
        bytes.push(0);
    }
    bytes.extend_from_slice(&bits.to_be_bytes());
    for block in bytes.chunks(64) {
        compress(&mut state, block);
    }
    for word in state {
        print!("{:08x}", word);
    }
    println!();
    Ok(())
}
`
  }
})
