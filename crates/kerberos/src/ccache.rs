//! Credential caches in the format of FILE caches, versions 3 and 4.
//!
//! ```text
//!   5, version | header (version 4) | principal | credential ...
//!   principal: type, number of components, realm, components
//! ```

use core::fmt;

use sockless_core::Fault;
use zeroize::Zeroizing;

use crate::Principal;
use crate::reader::Reader;

/// Tickets in one cache.
const TICKETS: usize = 4096;

/// Addresses or authorization data of one ticket.
const PARTS: u32 = 256;

/// Realm of the entries that are settings and no tickets.
const SETTINGS: &str = "X-CACHECONF:";

/// A credential cache: whose it is, and the tickets.
pub(crate) struct Ccache {
    pub(crate) client: Principal,
    pub(crate) tickets: Vec<Stored>,
}

/// One ticket and its key.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) client: Principal,
    pub(crate) server: Principal,
    pub(crate) enctype: u16,
    pub(crate) key: Zeroizing<Vec<u8>>,
    /// Issued, begins, ends, renewable until: in seconds of the epoch.
    pub(crate) times: [u32; 4],
    pub(crate) flags: u32,
    pub(crate) ticket: Vec<u8>,
}

impl Ccache {
    /// Reads a file's bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes, "credential cache")?;
        let version = match (reader.u8()?, reader.u8()?) {
            (5, version @ (3 | 4)) => version,
            (5, version @ (1 | 2)) => {
                let why = format!("version {version} is not read, only 3 and 4");
                return Err(reader.damaged(&why));
            }
            _ => return Err(reader.damaged("it does not begin as one")),
        };
        if version == 4 {
            let header = reader.u16()?;
            reader.take(header.into())?;
        }
        let client = principal(&mut reader)?.ok_or_else(|| reader.damaged("it is nobody's"))?;
        let mut tickets = Vec::new();
        while !reader.is_empty() {
            if tickets.len() == TICKETS {
                return Err(reader.damaged("it has too many tickets"));
            }
            tickets.extend(stored(&mut reader, version)?);
        }
        Ok(Self { client, tickets })
    }
}

impl Stored {
    #[cfg(any(feature = "gssapi", feature = "rust"))]
    pub(crate) fn validity(&self) -> crate::provider::Validity {
        let [issued, begins, ends, _] = self.times;
        crate::provider::Validity::of_file(begins.max(issued), ends)
    }
}

/// No key.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({} for {})", self.server, self.client)
    }
}

/// `None`: an entry that is a setting.
fn stored(reader: &mut Reader<'_>, version: u8) -> Result<Option<Stored>, Fault> {
    let client = principal(reader)?;
    let server = principal(reader)?;
    let enctype = reader.u16()?;
    if version == 3 {
        reader.u16()?;
    }
    let key = Zeroizing::new(reader.counted()?.to_vec());
    let times = [reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?];
    let _is_session_key = reader.u8()?;
    let flags = reader.u32()?;
    for _ in 0..2 {
        let parts = reader.u32()?;
        if parts > PARTS {
            return Err(reader.damaged("a ticket has too many parts"));
        }
        for _ in 0..parts {
            reader.u16()?;
            reader.counted()?;
        }
    }
    let ticket = reader.counted()?.to_vec();
    reader.counted()?;
    let (Some(client), Some(server)) = (client, server) else {
        return Ok(None);
    };
    Ok(Some(Stored {
        client,
        server,
        enctype,
        key,
        times,
        flags,
        ticket,
    }))
}

/// `None`: the name of a setting.
fn principal(reader: &mut Reader<'_>) -> Result<Option<Principal>, Fault> {
    let _kind = reader.u32()?;
    let count = reader.u32()?;
    let realm = reader.counted()?;
    let realm = reader.text(realm)?;
    let mut components = Vec::new();
    for _ in 0..count {
        // Each takes four bytes at least: the file's end bounds it.
        let component = reader.counted()?;
        components.push(component);
    }
    if realm == SETTINGS {
        return Ok(None);
    }
    let components = components.into_iter().map(|one| reader.text(one));
    let components = components.collect::<Result<_, _>>()?;
    let name = Principal::new(components, realm).map_err(|why| reader.damaged(why))?;
    Ok(Some(name))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn counted(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(bytes);
    }

    pub(crate) fn name(out: &mut Vec<u8>, realm: &str, components: &[&str]) {
        out.extend_from_slice(&1u32.to_be_bytes());
        out.extend_from_slice(&(components.len() as u32).to_be_bytes());
        counted(out, realm.as_bytes());
        components
            .iter()
            .for_each(|one| counted(out, one.as_bytes()));
    }

    fn entry(out: &mut Vec<u8>, realm: &str, server: &[&str]) {
        name(out, "R", &["alice"]);
        name(out, realm, server);
        out.extend_from_slice(&18u16.to_be_bytes());
        counted(out, &[7; 32]);
        for time in [1u32, 2, 3, 4] {
            out.extend_from_slice(&time.to_be_bytes());
        }
        out.push(0);
        out.extend_from_slice(&0x50e1_0000u32.to_be_bytes());
        out.extend_from_slice(&[0; 8]);
        counted(out, b"ticket");
        counted(out, b"");
    }

    fn file() -> Vec<u8> {
        let mut out = vec![5, 4, 0, 12, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        name(&mut out, "R", &["alice"]);
        entry(&mut out, SETTINGS, &["krb5_ccache_conf_data", "pa_type"]);
        entry(&mut out, "R", &["krbtgt", "R"]);
        entry(&mut out, "R", &["HTTP", "www"]);
        out
    }

    #[test]
    fn tickets_are_read_and_settings_passed_over() {
        let ccache = Ccache::parse(&file()).expect("a good file");
        assert_eq!(ccache.client.to_string(), "alice@R");
        let servers: Vec<_> = ccache.tickets.iter().map(|one| &one.server).collect();
        assert_eq!(servers.len(), 2);
        assert!(servers[0].grants_tickets_of("R"));
        assert_eq!(servers[1].to_string(), "HTTP/www@R");
        let first = &ccache.tickets[0];
        assert_eq!((first.enctype, first.key.len()), (18, 32));
        assert_eq!(first.times, [1, 2, 3, 4]);
        assert_eq!(first.ticket, b"ticket");
    }

    #[test]
    fn each_cut_inside_an_entry_is_seen() {
        let whole = file();
        let good: Vec<usize> = (0..whole.len())
            .filter(|end| Ccache::parse(&whole[..*end]).is_ok())
            .collect();
        // Only where one entry has ended and the next has not begun.
        assert_eq!(good.len(), 3, "{good:?}");
    }

    proptest! {
        #[test]
        fn damage_is_an_error_and_no_panic(at in 0usize..400, to in any::<u8>()) {
            let mut bytes = file();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Err(fault) = Ccache::parse(&bytes) {
                prop_assert!(fault.what.contains("credential cache"));
            }
        }

        #[test]
        fn garbage_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            bytes.splice(0..0, [5, 4]);
            let _ = Ccache::parse(&bytes);
        }
    }
}
