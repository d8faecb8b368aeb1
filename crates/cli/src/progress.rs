//! The progress meter on standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::args::MessageArgs;

/// How often it is drawn while nothing moves, too: a stall should look like one.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// Drawings per second at most.
const RATE: u8 = 10;

/// One meter for all transfers that are under way.
#[derive(Debug)]
pub(crate) struct Progress {
    kind: Kind,
    bar: Option<ProgressBar>,
    under_way: usize,
    total: u64,
    is_complete_known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Off,
    /// Bytes, rate, time left.
    Meter,
    /// `-#`.
    Bar,
}

impl Progress {
    /// Off with `-s`, off a terminal unless it is asked for, and off where the body itself
    /// goes to the terminal.
    pub(crate) fn new(args: &MessageArgs, body_on_terminal: bool) -> Self {
        let kind = if args.silent || args.no_progress_meter {
            Kind::Off
        } else if args.progress_bar {
            Kind::Bar
        } else if io::stderr().is_terminal() && !body_on_terminal && !args.verbose {
            Kind::Meter
        } else {
            Kind::Off
        };
        Self {
            kind,
            bar: None,
            under_way: 0,
            total: 0,
            is_complete_known: true,
        }
    }

    /// Whether it wants to be drawn from time to time.
    pub(crate) fn is_on(&self) -> bool {
        self.bar.is_some()
    }

    /// A transfer begins.
    pub(crate) fn begin(&mut self) {
        if self.kind == Kind::Off {
            return;
        }
        self.under_way += 1;
        if self.bar.is_none() {
            (self.total, self.is_complete_known) = (0, true);
            self.bar = Some(bar(self.kind));
        }
    }

    /// A transfer will bring that many bytes, or nobody knows how many.
    pub(crate) fn expect(&mut self, bytes: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        match bytes {
            Some(bytes) => self.total += bytes,
            None => self.is_complete_known = false,
        }
        if self.is_complete_known {
            bar.set_length(self.total);
        } else {
            bar.unset_length();
        }
    }

    /// Bytes have moved.
    pub(crate) fn add(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&self) {
        if let Some(bar) = &self.bar {
            bar.tick();
        }
    }

    /// A transfer has ended; the last one leaves its meter on the screen.
    pub(crate) fn end(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.under_way == 0
            && let Some(bar) = self.bar.take()
        {
            bar.abandon();
        }
    }

    /// Says something without the meter in the way.
    pub(crate) fn aside(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }
}

fn bar(kind: Kind) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(RATE)
    } else {
        ProgressDrawTarget::term_like_with_hz(Box::new(Pipe), RATE)
    };
    let template = match kind {
        Kind::Bar => "{bar:60.cyan} {percent:>3}%",
        _ => {
            "{bar:30.cyan} {bytes:>10} of {total_bytes:<10} {bytes_per_sec:>12}  {elapsed} left {eta}"
        }
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style.progress_chars("##-"))
}

/// A standard error that is no terminal: lines are written, the cursor stays where it is.
#[derive(Debug)]
struct Pipe;

impl TermLike for Pipe {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{line}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        write!(io::stderr(), "{text}")
    }

    fn clear_line(&self) -> io::Result<()> {
        write!(io::stderr(), "\r")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
