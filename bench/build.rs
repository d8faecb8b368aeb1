//! Compiles the client of libcurl that is written in C, as programs that use it are.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script is told things by its environment"
)]

fn main() {
    println!("cargo::rerun-if-changed=src/clients/multi.c");
    // Crate curl-sys says where the headers of what it has built are.
    #[cfg(feature = "curl")]
    if let Some(include) = std::env::var_os("DEP_CURL_INCLUDE") {
        let mut build = cc::Build::new();
        build.file("src/clients/multi.c").include(include);
        build.define("CURL_STATICLIB", None).warnings(true);
        build.compile("bench_multi");
    }
}
