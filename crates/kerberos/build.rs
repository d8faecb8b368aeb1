//! Finds MIT Kerberos, where it is wanted.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "gssapi")]
    {
        // `krb5_init_creds_step` and `gss_acquire_cred_from` are all there since 1.11.
        let probe = |name| {
            let mut config = pkg_config::Config::new();
            config.atleast_version("1.11").probe(name)
        };
        if let Err(error) = probe("mit-krb5-gssapi").and_then(|_| probe("mit-krb5")) {
            println!(
                "cargo::error=the feature gssapi needs MIT Kerberos: install libkrb5-dev and pkg-config \
                 (Debian, Ubuntu) or krb5-devel (Fedora), or build without this feature"
            );
            println!("cargo::error={}", first_line(&error.to_string()));
        }
    }
}

#[cfg(feature = "gssapi")]
fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}
