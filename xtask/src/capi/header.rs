//! `include/sockless.h`, made by cbindgen.

use std::fs;

use crate::Outcome;
use crate::command::{cargo, output, program, root, run as run_command};

const CBINDGEN: &str = "0.29.4";
const HEADER: &str = "crates/capi/include/sockless.h";

/// Writes it anew.
pub(crate) fn write() -> Outcome {
    let text = make()?;
    fs::write(root().join(HEADER), text).map_err(|error| format!("{HEADER}: {error}"))
}

/// It has to be what the source makes of it.
pub(super) fn check() -> Outcome {
    let path = root().join(HEADER);
    let have = fs::read_to_string(path).map_err(|error| format!("{HEADER}: {error}"))?;
    match have == make()? {
        true => Ok(()),
        false => Err(format!(
            "{HEADER} is stale: `cargo xtask header` makes it anew"
        )),
    }
}

fn make() -> Result<String, String> {
    let version = output(&mut program("cbindgen", &["--version"]));
    if version.is_ok_and(|version| version.trim() != format!("cbindgen {CBINDGEN}"))
        || version_missing()
    {
        let args = ["install", "cbindgen", "--locked", "--version", CBINDGEN];
        run_command(&mut cargo(&args))?;
    }
    let args = [
        "--quiet",
        "--config",
        "crates/capi/cbindgen.toml",
        "crates/capi",
    ];
    output(&mut program("cbindgen", &args))
}

fn version_missing() -> bool {
    output(&mut program("cbindgen", &["--version"])).is_err()
}
