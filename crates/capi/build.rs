//! The shared library's name and the version of its symbols.

fn main() {
    println!("cargo:rerun-if-changed=sockless.map");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // cargo-c names the library itself.
    if target != "linux" || std::env::var_os("CARGO_FEATURE_CAPI").is_some() {
        return;
    }
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libsockless.so.0.1");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--version-script={folder}/sockless.map");
}
