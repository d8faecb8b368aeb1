//! `cargo xtask capi-fuzz`: random calls of the C functions, for as long as one likes.

use crate::Outcome;
use crate::command::{cargo, output, program, run as run_command};

/// `--steps N`, `--seed N`, and `--asan` for a build under the address sanitizer.
pub(super) fn run(options: &[&str]) -> Outcome {
    let (mut steps, mut seed, mut asan) = ("1000000", "1", false);
    let mut rest = options;
    loop {
        match rest {
            [] => break,
            ["--steps", count, tail @ ..] => (steps, rest) = (count, tail),
            ["--seed", number, tail @ ..] => (seed, rest) = (number, tail),
            ["--asan", tail @ ..] => (asan, rest) = (true, tail),
            _ => {
                return Err(
                    "usage: cargo xtask capi-fuzz [--steps N] [--seed N] [--asan]".to_owned(),
                );
            }
        }
    }
    let mut args = vec![
        "test",
        "--release",
        "-p",
        "sockless-capi",
        "--features",
        super::FEATURES,
        "--test",
        "calls",
    ];
    let host = host()?;
    if asan {
        args.extend(["--target", &host]);
    }
    args.extend(["--", "--nocapture", "random_calls"]);
    let mut test = cargo(&args);
    test.env("SOCKLESS_CAPI_STEPS", steps)
        .env("SOCKLESS_CAPI_SEED", seed);
    if asan {
        // The sanitizer is no stable option yet, but the stable compiler has it.
        test.env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address");
    }
    run_command(&mut test)
}

fn host() -> Result<String, String> {
    let text = output(&mut program("rustc", &["-vV"]))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc does not say its host".to_owned())
}
