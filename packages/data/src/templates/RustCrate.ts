/**
 * A Rust crate with a library, its tests and a program, for Rust 1.56 or newer without dependencies. Run, it reads whole
 * numbers from standard input and prints their count and sum; anything else is an error with exit code 2.
 */
import { template } from "../ProjectTemplate.ts"
import { description, rustCrate, version } from "../internal/variables.ts"

export const rustCrateTemplate = template({
  name: "rust-crate",
  tools: ["cargo", "rustc"],
  variables: { name: rustCrate, version, description },
  project: ({ name, version, description }) => ({
    build: [["cargo", "build", "--offline", "--quiet"]],
    test: ["cargo", "test", "--offline", "--quiet"],
    run: [`./target/debug/${name}`],
    files: {
      "README.md": `# ${name}\n\n${description}\n`,
      "Cargo.toml": `[package]
name = "${name}"
version = "${version}"
edition = "2021"
description = ${JSON.stringify(description)}

[dependencies]
`,
      "src/lib.rs": `//! Counts and sums whole numbers given as text.

use std::num::ParseIntError;

/// Count and sum of the words, or the first error.
pub fn total(text: &str) -> Result<(usize, i64), ParseIntError> {
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<i64>, _>>()?;
    Ok((numbers.len(), numbers.iter().sum()))
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn counts_and_sums() {
        assert_eq!(total("1 -2\\n40\\n"), Ok((3, 39)));
    }

    #[test]
    fn refuses_what_is_no_number() {
        assert!(total("1 x").is_err());
    }
}
`,
      "src/main.rs": `use std::io::Read;

fn main() -> std::io::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    match ${name.replaceAll("-", "_")}::total(&text) {
        Ok((count, whole)) => println!("{} {}", count, whole),
        Err(error) => {
            eprintln!("{}", error);
            std::process::exit(2);
        }
    }
    Ok(())
}
`
    }
  })
})
