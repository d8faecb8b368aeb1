//! Names: `component/component@REALM`.

use core::fmt;

use sockless_core::{Culprit, Fault, Reason};

/// The longest name that is taken, in bytes; no KDC knows longer ones.
pub(crate) const LONGEST: usize = 1024;

/// The most components of a name.
const COMPONENTS: usize = 16;

/// A principal's name (RFC 4120 section 6.2).
///
/// ```
/// use sockless_kerberos::Principal;
///
/// let service = Principal::parse("HTTP/www.example.com@EXAMPLE.COM").unwrap();
/// assert_eq!(service.realm(), "EXAMPLE.COM");
/// assert_eq!(service.to_string(), "HTTP/www.example.com@EXAMPLE.COM");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    components: Vec<String>,
    realm: String,
}

impl Principal {
    /// A name, with its realm behind the last `@`. A backslash makes the next character a plain one.
    ///
    /// # Errors
    /// It is empty, too long, has no realm or a control character.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (mut components, mut realm, mut current) = (Vec::new(), None, String::new());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => current.extend(characters.next()),
                '/' if realm.is_none() => components.push(core::mem::take(&mut current)),
                '@' if realm.is_none() => {
                    components.push(core::mem::take(&mut current));
                    realm = Some(());
                }
                plain => current.push(plain),
            }
        }
        if realm.is_none() {
            return Err(bad(text, "it has no realm")
                .remedy("write it as name@REALM, or set a default realm"));
        }
        Self::new(components, current).map_err(|why| bad(text, why))
    }

    /// The same, with a realm for a name that has none.
    ///
    /// # Errors
    /// As [`Principal::parse`].
    pub fn parse_in(text: &str, default: Option<&str>) -> Result<Self, Fault> {
        let has_realm = unescaped(text, '@');
        match default {
            Some(realm) if !has_realm => {
                let name = Self::parse(&format!("{text}@X"))?;
                Self::new(name.components, realm.to_owned()).map_err(|why| bad(text, why))
            }
            _ => Self::parse(text),
        }
    }

    /// A service on a host, as it is asked for in a realm.
    ///
    /// # Errors
    /// A name that can be none.
    pub fn service(service: &str, host: &str, realm: &str) -> Result<Self, Fault> {
        let components = vec![service.to_owned(), host.to_ascii_lowercase()];
        Self::new(components, realm.to_owned()).map_err(|why| bad(service, why))
    }

    pub(crate) fn new(components: Vec<String>, realm: String) -> Result<Self, &'static str> {
        let all = || components.iter().chain([&realm]);
        if components.iter().any(String::is_empty) || realm.is_empty() {
            return Err("a part of it is empty");
        }
        if components.is_empty() || components.len() > COMPONENTS {
            return Err("it has no part or too many");
        }
        if all().map(String::len).sum::<usize>() > LONGEST {
            return Err("it is too long");
        }
        if all().any(|part| part.chars().any(char::is_control)) {
            return Err("it has a control character");
        }
        Ok(Self { components, realm })
    }

    /// Its realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// What is in front of the realm, part by part.
    pub fn components(&self) -> &[String] {
        &self.components
    }

    /// Whether it names the ticket-granting service of a realm.
    pub(crate) fn grants_tickets_of(&self, realm: &str) -> bool {
        matches!(&*self.components, [krbtgt, of] if krbtgt == "krbtgt" && of == realm)
            && self.realm == realm
    }
}

/// With backslashes where they are needed.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |f: &mut fmt::Formatter<'_>, part: &str, special: &[char]| {
            for character in part.chars() {
                if special.contains(&character) {
                    f.write_str("\\")?;
                }
                write!(f, "{character}")?;
            }
            Ok(())
        };
        for (at, component) in self.components.iter().enumerate() {
            f.write_str(if at > 0 { "/" } else { "" })?;
            escape(f, component, &['\\', '/', '@'])?;
        }
        f.write_str("@")?;
        escape(f, &self.realm, &['\\', '@'])
    }
}

/// Whether that character stands there without a backslash.
fn unescaped(text: &str, wanted: char) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            plain if plain == wanted => return true,
            _ => {}
        }
    }
    false
}

fn bad(text: &str, why: &str) -> Fault {
    let shown: String = text.chars().take(64).collect();
    let what = format!("{shown:?} is no Kerberos name: {why}");
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in [
            "alice@A.EXAMPLE",
            "HTTP/www.example.com@B",
            "a\\@b\\/c@R\\@S",
        ] {
            let name = Principal::parse(text).expect(text);
            assert_eq!(name.to_string(), text);
        }
        let plain = Principal::parse_in("alice", Some("R")).expect("a name");
        assert_eq!(plain.to_string(), "alice@R");
        let escaped = Principal::parse_in("a\\@b", Some("R")).expect("a name");
        assert_eq!(escaped.components(), ["a@b"]);
        let own = Principal::parse_in("alice@S", Some("R")).expect("a name");
        assert_eq!(own.realm(), "S");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}@R", "x".repeat(LONGEST));
        for text in ["", "alice", "@R", "alice@", "a//b@R", "a\nb@R", &long] {
            let fault = Principal::parse(text).expect_err(text);
            assert_eq!(fault.reason, Reason::BadRequest);
        }
        assert!(Principal::service("HTTP", "", "R").is_err());
    }
}
