//! Values of options: yes and no, times, sizes, lists, jumps.

use std::time::Duration;

/// Parses `yes` and `no`.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("{text:?} is neither yes nor no")),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(format!("{text:?} is no port")),
    }
}

/// Parses a time (sshd_config(5), TIME FORMATS): `90`, `10m`, `1h30m`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is no time: say 30, 10m, or 1h30m");
    let (mut total, mut digits) = (0_u64, 0..0);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            digits.end = at + 1;
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(bad()),
        };
        let count: u64 = text[digits].parse().map_err(|_| bad())?;
        total = total.saturating_add(count.saturating_mul(unit));
        digits = at + 1..at + 1;
    }
    if !digits.is_empty() {
        let rest: u64 = text[digits].parse().map_err(|_| bad())?;
        total = total.saturating_add(rest);
    } else if text.is_empty() {
        return Err(bad());
    }
    Ok(Duration::from_secs(total.min(u64::from(u32::MAX))))
}

/// Parses a number of bytes: `500M`, `1G`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no size: say 500M or 1G");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return Err(bad()),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(bad)
}

/// Checks a list of names with commas, perhaps with `+`, `-` or `^` in front.
pub(super) fn names(text: &str) -> Result<String, String> {
    let list = text.strip_prefix(['+', '-', '^']).unwrap_or(text);
    match list.split(',').any(|name| name.trim().is_empty()) {
        true => Err(format!("{text:?} is no list of algorithms")),
        false => Ok(text.to_owned()),
    }
}

/// A host on the way: `user@host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The user's name there, if it is given.
    pub user: Option<String>,
    /// The host; may be a name that the configuration knows.
    pub host: String,
    /// Its port, if it is given.
    pub port: Option<u16>,
}

impl Jump {
    /// Reads a list as ProxyJump and `-J` have it: the first is reached first.
    ///
    /// # Errors
    /// Which of them cannot be read.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let jumps: Vec<Self> = text.split(',').map(Self::read).collect::<Result<_, _>>()?;
        match jumps.len() > MAX_JUMPS {
            true => Err(format!("more than {MAX_JUMPS} jumps")),
            false => Ok(jumps),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no user@host:port");
        let rest = text.trim();
        let rest = rest.strip_prefix("ssh://").unwrap_or(rest);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, rest) = match rest.rsplit_once('@') {
            Some(("", _)) => return Err(bad()),
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (host, behind) = inner.split_once(']').ok_or_else(bad)?;
                match behind.strip_prefix(':') {
                    Some(number) => (host, Some(number)),
                    None if behind.is_empty() => (host, None),
                    None => return Err(bad()),
                }
            }
            None => match rest.split_once(':') {
                Some((host, number)) if !number.contains(':') => (host, Some(number)),
                // An IPv6 address without brackets, or no port.
                _ => (rest, None),
            },
        };
        if host.is_empty() || host.contains(|c: char| c.is_ascii_whitespace() || c.is_control()) {
            return Err(bad());
        }
        let host = host.to_owned();
        let port = port.map(self::port).transpose()?;
        Ok(Self { user, host, port })
    }
}

/// More than anybody has between himself and a host.
const MAX_JUMPS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        for (text, secs) in [("90", 90), ("10m", 600), ("1H30m5", 5405), ("1w", 604_800)] {
            assert_eq!(time(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        for bad in ["", "m", "1x", "-1", "1h m", "99999999999999999999"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert_eq!(size("16k"), Ok(16 << 10));
        assert_eq!(size("1G"), Ok(1 << 30));
        for bad in ["", "G", "1T", "1kk", "18446744073709551615k"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_of_names() {
        for good in ["a", "a,b", "+a", "-a*,b", "^a"] {
            assert_eq!(names(good).as_deref(), Ok(good));
        }
        for bad in ["", "+", "a,,b", "^,a"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
