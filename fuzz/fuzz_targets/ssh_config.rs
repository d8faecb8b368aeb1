//! Any configuration, with any file for what it includes, and any host: no panic, and an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_ssh::Algorithms;
use sockless_ssh::config::{Configuration, Included, Query};

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, included, host) = input;
    let mut config = Configuration::new();
    let include = &mut |_: &str| {
        Ok(vec![Included {
            name: "included".to_owned(),
            text: included.to_owned(),
        }])
    };
    if config.add("config", text, include).is_ok() {
        let mut query = Query::new(host);
        query.home = "/users/me";
        if let Ok(settings) = config.settings(&query) {
            settings.offer(&mut Algorithms::default());
        }
    }
});
