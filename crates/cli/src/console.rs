//! Everything that is said while transfers run.

use std::io::{self, IsTerminal as _, Write as _};

use crate::args::MessageArgs;
use crate::output::Dumps;
use crate::progress::Progress;
use crate::report::{Failure, complain};
use crate::trace::Tracer;
use crate::write_out::{self, Record};

/// Trace, progress, heads' files and complaints.
pub(crate) struct Console {
    pub(crate) tracer: Tracer,
    pub(crate) progress: Progress,
    pub(crate) dumps: Dumps,
    /// The driver's name.
    pub(crate) driver: &'static str,
    silent: bool,
    show_errors: bool,
}

impl Console {
    /// `to_stdout`: some answer goes to standard output.
    ///
    /// # Errors
    /// A trace file cannot be made.
    pub(crate) fn new(args: &MessageArgs, to_stdout: bool) -> Result<Self, Failure> {
        Ok(Self {
            tracer: Tracer::new(args)?,
            progress: Progress::new(args, to_stdout && io::stdout().is_terminal()),
            dumps: Dumps::default(),
            driver: "",
            silent: args.silent,
            show_errors: !args.silent || args.show_error,
        })
    }

    /// Reports a failure.
    pub(crate) fn failed(&self, failure: &Failure) {
        if self.show_errors && !failure.quiet {
            self.progress.aside(|| complain(failure));
        }
    }

    /// Says something that is no failure.
    pub(crate) fn remark(&self, what: &str) {
        if !self.silent {
            self.progress.aside(|| complain(what));
        }
    }

    /// Writes a transfer's `-w` line.
    ///
    /// # Errors
    /// The format cannot be read, or standard output not be written to.
    pub(crate) fn write_out(&self, format: &str, record: &Record) -> Result<(), Failure> {
        let format = write_out::format_of(format)?;
        let written = write_out::expand(&format, record);
        for name in &written.unknown {
            self.remark(&format!("unknown --write-out variable: {name:?}"));
        }
        let _ = io::stderr().write_all(written.stderr.as_bytes());
        let mut stdout = io::stdout();
        let printed = stdout
            .write_all(written.stdout.as_bytes())
            .and_then(|()| stdout.flush());
        printed.map_err(|error| Failure::write("standard output", &error))
    }
}
