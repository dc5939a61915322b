//! Builds and runs `tests/amplification`, which measures the cost of inputs.

use std::{env, fs, path::Path, process::Command};

use crate::{Result, cargo, root, succeed};

/// Functions of the C library that `steps.rs` wraps.
const WRAPPED: [&str; 10] =
    ["memcpy", "memmove", "memset", "memcmp", "bcmp", "malloc", "calloc", "realloc", "posix_memalign", "free"];

pub(crate) fn run(filter: &[&str]) -> Result {
    let host = host()?;
    let target = root().join("target/amplification");
    fs::create_dir_all(&target)?;
    let target = target.canonicalize()?;
    let steps = target.join("steps.o");
    compile(&steps)?;
    let mut build = cargo();
    build.args([
        "build",
        "--locked",
        "--profile",
        "amplification",
        "--package",
        "btf-amplification",
        "--package",
        "btf-cli",
    ]);
    // With --target, the flags do not apply to build scripts and macros.
    build.args(["--bins", "--target", &host]).arg("--target-dir").arg(&target);
    build.env("CARGO_ENCODED_RUSTFLAGS", flags(&steps).join("\x1f")).env_remove("RUSTFLAGS");
    succeed(&mut build)?;
    succeed(Command::new(target.join(host).join("amplification/btf-amplification")).args(filter))
}

/// Compiles the counters to an object file. They do not use the standard library.
fn compile(steps: &Path) -> Result {
    let mut rustc = rustc();
    rustc.args([
        "--edition=2024",
        "--crate-type=lib",
        "--emit=obj",
        "-Copt-level=3",
        "-Ccodegen-units=1",
        "-Cpanic=abort",
    ]);
    succeed(rustc.arg("-o").arg(steps).arg(root().join("tests/amplification/steps.rs")))
}

/// Returns the flags that make all crates call `__sanitizer_cov_trace_pc` in
/// each basic block, and that link the counters.
fn flags(steps: &Path) -> Vec<String> {
    let mut flags = ["--cfg=counted", "-Cpasses=sancov-module"].map(str::to_owned).to_vec();
    flags.extend(["level=3", "trace-pc"].map(|option| format!("-Cllvm-args=-sanitizer-coverage-{option}")));
    flags.push(format!("-Clink-arg={}", steps.display()));
    flags.extend(WRAPPED.map(|name| format!("-Clink-arg=-Wl,--wrap={name}")));
    flags
}

/// Returns the target triple of this machine.
fn host() -> Result<String> {
    let output = rustc().arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc -vV names no host")?.into())
}

fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
