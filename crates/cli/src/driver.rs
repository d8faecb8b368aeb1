//! Which engine carries the operations out.

use std::io;

use sockless::drivers::{self, Wakeable};

use crate::report::{Failure, code};

/// A driver, and why it is not the one that would be best here.
pub(crate) struct Chosen {
    pub(crate) driver: Box<dyn Wakeable>,
    pub(crate) instead: Option<String>,
}

/// How a driver is made.
type Make = fn() -> io::Result<Box<dyn Wakeable>>;

/// The drivers of this build; the first one that can be used is the default.
const DRIVERS: &[(&str, Make)] = &[
    #[cfg(target_os = "linux")]
    ("uring", || Ok(Box::new(drivers::Uring::new()?))),
    ("blocking", || Ok(Box::new(drivers::Blocking::new()?))),
    #[cfg(feature = "driver-tokio")]
    ("tokio", || Ok(Box::new(drivers::TokioAlone::new()?))),
    #[cfg(feature = "driver-compio")]
    ("compio", || Ok(Box::new(drivers::Compio::new()?))),
    #[cfg(feature = "driver-aio")]
    ("aio", || Ok(Box::new(drivers::Aio::new()?))),
];

/// Those that a build may have.
const FEATURES: &[&str] = &["tokio", "compio", "aio"];

/// The driver of that name; without one, io_uring where the system allows it.
///
/// # Errors
/// Exit code 2: no such driver, or it was asked for by name and cannot be used.
pub(crate) fn choose(name: Option<&str>) -> Result<Chosen, Failure> {
    let failed = |name: &str, error: &io::Error| {
        Failure::new(
            code::USAGE,
            format!("driver: {name} cannot be used: {error}"),
        )
    };
    if let Some(name) = name {
        let (_, make) = DRIVERS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| unknown(name))?;
        let driver = make().map_err(|error| failed(name, &error))?;
        let instead = None;
        return Ok(Chosen { driver, instead });
    }
    let mut instead = None;
    let mut last = Failure::usage("--driver: this build has none");
    for (name, make) in DRIVERS {
        match make() {
            Ok(driver) => return Ok(Chosen { driver, instead }),
            Err(error) => {
                instead = Some(format!("using the blocking driver: {error}"));
                last = failed(name, &error);
            }
        }
        if *name == "blocking" {
            break;
        }
    }
    Err(last)
}

fn unknown(name: &str) -> Failure {
    if FEATURES.contains(&name) {
        return Failure::usage(format!(
            "--driver {name} is not built in; build with the feature driver-{name}"
        ));
    }
    Failure::usage(format!("--driver {name}: it is one of {}", names()))
}

/// The drivers of this build, for `--version`.
pub(crate) fn names() -> String {
    let names: Vec<&str> = DRIVERS.iter().map(|(name, _)| *name).collect();
    names.join(" ")
}
