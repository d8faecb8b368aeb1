//! Which engine carries the operations out.

use std::io;

use sockless::drivers::{Blocking, Wakeable};

use crate::report::{Failure, code};

/// A driver, and why it is not the one that would be best here.
pub(crate) struct Chosen {
    pub(crate) driver: Box<dyn Wakeable>,
    pub(crate) instead: Option<String>,
}

/// The driver of that name; without one, io_uring where the system allows it.
///
/// # Errors
/// Exit code 2: no such driver, or it was asked for by name and cannot be used.
pub(crate) fn choose(name: Option<&str>) -> Result<Chosen, Failure> {
    let failed = |name: &str, error: io::Error| {
        Failure::new(
            code::USAGE,
            format!("driver: {name} cannot be used: {error}"),
        )
    };
    match name {
        Some("uring") => {
            let driver = uring().map_err(|error| failed("uring", error))?;
            Ok(Chosen {
                driver,
                instead: None,
            })
        }
        Some("blocking") => {
            let driver = blocking().map_err(|error| failed("blocking", error))?;
            Ok(Chosen {
                driver,
                instead: None,
            })
        }
        Some(other) => Err(Failure::usage(format!(
            "--driver {other}: it is uring or blocking"
        ))),
        None => match uring() {
            Ok(driver) => Ok(Chosen {
                driver,
                instead: None,
            }),
            Err(error) => {
                let driver = blocking().map_err(|error| failed("blocking", error))?;
                let instead = Some(format!("using the blocking driver: {error}"));
                Ok(Chosen { driver, instead })
            }
        },
    }
}

/// The drivers of this build, for `--version`.
pub(crate) const NAMES: &str = if cfg!(target_os = "linux") {
    "uring blocking"
} else {
    "blocking"
};

#[cfg(target_os = "linux")]
fn uring() -> io::Result<Box<dyn Wakeable>> {
    Ok(Box::new(sockless::drivers::Uring::new()?))
}

#[cfg(not(target_os = "linux"))]
fn uring() -> io::Result<Box<dyn Wakeable>> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "io_uring is Linux's",
    ))
}

fn blocking() -> io::Result<Box<dyn Wakeable>> {
    Ok(Box::new(Blocking::new()?))
}
