//! What the demo shows.

use std::io::{IsTerminal as _, Write as _};

use sockless::Stats;

use super::Bulk;
use super::counting::{Count, KINDS};

/// Plain aligned text, with a little colour on a terminal.
pub(crate) struct Picture {
    colour: bool,
}

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";
const CYAN: &str = "36";
const DIM: &str = "2";

impl Picture {
    pub(crate) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none();
        Self {
            colour: wanted && std::io::stdout().is_terminal(),
        }
    }

    pub(crate) fn title(&self, origin: &str, driver: &str, instead: Option<&str>) {
        let claim = "sockless: transfers by a library that never touches a socket";
        say(&self.paint(BOLD, claim));
        say("");
        say(&format!(
            "  server   {origin}, a thread of this process with a new certificate"
        ));
        say(&format!("  driver   {driver}"));
        if let Some(why) = instead {
            say(&format!("           {}", self.paint(RED, why)));
        }
        say("");
    }

    /// The layers above the connection, top first, and what each said.
    pub(crate) fn stack(&self, layers: &[&str], notes: &[String], driver: &str) {
        let engine = match driver {
            "uring" => "your io_uring",
            _ => "your sockets",
        };
        let note = notes
            .iter()
            .find(|note| note.contains("TLS"))
            .map_or("", String::as_str);
        let border = |left: &str, right: &str| format!("  {left}{}{right}", "─".repeat(17));
        say(&border("┌", "┐"));
        let boxed = |name: &str, colour: &str, said: &str| {
            let name = self.paint(colour, &format!("{name:<15}"));
            say(&format!("  │ {name} │  {}", self.paint(DIM, said)));
        };
        boxed("http", CYAN, "requests down, answers up");
        for layer in layers.iter().rev() {
            boxed(layer, CYAN, note);
        }
        boxed(
            "[connection]",
            CYAN,
            "sockless ends here: bytes in, bytes out, no socket, no clock",
        );
        say(&border("├", "┤"));
        boxed(
            "ops ↓    ↑ done",
            BOLD,
            "\"recv into this buffer\" ... \"done, 262144 bytes\"",
        );
        say(&border("├", "┤"));
        boxed(engine, GREEN, "the program's own: it has the sockets");
        say(&border("└", "┘"));
        say("");
    }

    pub(crate) fn bulk(&self, name: &str, bulk: &Bulk) {
        let seconds = bulk.took.as_secs_f64();
        let mib = bulk.bytes as f64 / f64::from(1 << 20);
        let verdict = if bulk.checksum == bulk.expected {
            self.paint(GREEN, "right")
        } else {
            self.paint(RED, &format!("WRONG, expected {:08x}", bulk.expected))
        };
        say(&format!(
            "  {name:<9} {mib:>6.1} MiB in {seconds:>5.2} s  {:>7.1} MiB/s   crc32 {:08x} {verdict}",
            mib / seconds.max(1e-9),
            bulk.checksum,
        ));
    }

    pub(crate) fn operations(&self, counts: &[Count; KINDS.len()]) {
        say("");
        say(&format!(
            "  {}",
            self.paint(
                BOLD,
                &format!("{:<10} {:>9} {:>15}", "operation", "count", "bytes")
            )
        ));
        for (name, count) in KINDS.iter().zip(counts) {
            let bytes = if count.bytes > 0 {
                grouped(count.bytes)
            } else {
                String::new()
            };
            let line = format!("  {name:<10} {:>9} {bytes:>15}", grouped(count.operations));
            say(line.trim_end());
        }
        say("");
    }

    pub(crate) fn conclusion(&self, stats: &Stats, counts: &[Count; KINDS.len()], driver: &str) {
        let asked: u64 = counts.iter().map(|count| count.operations).sum();
        let claim = format!(
            "sockless has no sockets: it asked for {} operations.",
            grouped(asked)
        );
        say(&format!("  {}", self.paint(BOLD, &claim)));
        // Ends of connections are plain system calls everywhere, and a lookup is the resolver's.
        let moving = KINDS.iter().zip(counts);
        let moving = moving.filter(|(name, _)| matches!(**name, "connect" | "recv" | "send"));
        let moved = grouped(moving.map(|(_, count)| count.operations).sum());
        let way = match driver {
            "uring" => "its io_uring",
            "tokio" => "tokio",
            "compio" => "compio",
            "aio" => "POSIX AIO",
            _ => "plain sockets",
        };
        say(&format!(
            "  The driver carried {moved} of them out on {way}: connect, recv and send."
        ));
        say(&format!(
            "  {} of {} received bytes had to be copied.",
            grouped(stats.copied),
            grouped(stats.received)
        ));
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Prints a line. A reader that has left takes the picture along, not the demo.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_come_in_threes() {
        let shown = [0, 999, 1000, 1_234_567].map(super::grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
