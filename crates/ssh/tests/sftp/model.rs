//! A server of sftp in memory, which answers in the order of its whims.

use std::collections::BTreeMap;

use sockless_ssh::message::Kind;

use crate::stand::Far;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File(Vec<u8>),
    Directory,
}

/// Changes an answer.
type Tamper = Box<dyn FnMut(&mut Vec<u8>)>;

/// How the server behaves.
pub(crate) struct Whims {
    /// Chance decides which of the waiting answers is next.
    pub(crate) shuffled: bool,
    /// Reads may bring less than asked for.
    pub(crate) short: bool,
    /// Extensions that it names, with their versions.
    pub(crate) extensions: Vec<(&'static str, &'static str)>,
    /// Entries in an answer about a directory.
    pub(crate) entries: usize,
    /// An open file is gone after that many requests for it.
    pub(crate) vanish_after: usize,
    /// Whether its answers arrive as it made them.
    pub(crate) honest: bool,
    /// What becomes of each answer on its way.
    pub(crate) tamper: Tamper,
    /// What a file's length is told to be, where that is not the truth.
    pub(crate) told_length: Option<u64>,
    /// A write fails that would make a file longer than this.
    pub(crate) disk: usize,
}

impl Default for Whims {
    fn default() -> Self {
        Self {
            shuffled: false,
            short: false,
            extensions: vec![
                ("posix-rename@openssh.com", "1"),
                ("fsync@openssh.com", "1"),
            ],
            entries: 100,
            vanish_after: usize::MAX,
            honest: true,
            tamper: Box::new(|_| {}),
            told_length: None,
            disk: usize::MAX,
        }
    }
}

enum Handle {
    File(Vec<u8>, usize),
    /// Names that were not told.
    Directory(Vec<(Vec<u8>, Node)>),
}

/// The server.
pub(crate) struct Model {
    pub(crate) tree: BTreeMap<Vec<u8>, Node>,
    pub(crate) whims: Whims,
    /// Kinds of the requests that came.
    pub(crate) seen: Vec<u8>,
    /// The most answers that waited at once.
    pub(crate) most_waiting: usize,
    /// The longest read or write that was asked for.
    pub(crate) longest: usize,
    rng: fastrand::Rng,
    handles: BTreeMap<Vec<u8>, Handle>,
    opened: u32,
    heard: Vec<u8>,
    says: Vec<(Kind, Vec<u8>)>,
    /// What the channel was parked with before.
    pub(crate) greeting: Vec<u8>,
}

impl Model {
    pub(crate) fn new(seed: u64, whims: Whims) -> Self {
        Self {
            tree: BTreeMap::new(),
            whims,
            seen: Vec::new(),
            most_waiting: 0,
            longest: 0,
            rng: fastrand::Rng::with_seed(seed),
            handles: BTreeMap::new(),
            opened: 0,
            heard: Vec::new(),
            says: Vec::new(),
            greeting: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, path: &str, node: Node) -> Self {
        self.tree.insert(path.as_bytes().to_vec(), node);
        self
    }

    /// How many handles were not closed.
    pub(crate) fn open(&self) -> usize {
        self.handles.len()
    }

    /// Adds a name to each directory that is being read.
    pub(crate) fn refill(&mut self, name: impl Fn() -> Vec<u8>) {
        for handle in self.handles.values_mut() {
            if let Handle::Directory(names) = handle {
                names.push((name(), Node::Directory));
            }
        }
    }

    fn answer(&mut self, kind: u8, body: &[u8]) {
        let mut packet = u32::try_from(body.len() + 1)
            .expect("small")
            .to_be_bytes()
            .to_vec();
        packet.push(kind);
        packet.extend_from_slice(body);
        (self.whims.tamper)(&mut packet);
        self.says.push((Kind::Data, packet));
        self.most_waiting = self.most_waiting.max(self.says.len());
    }

    fn status(&mut self, id: &[u8], code: u32) {
        let mut body = [id, &code.to_be_bytes()].concat();
        string(&mut body, b"so it is");
        string(&mut body, b"en");
        self.answer(101, &body);
    }

    fn handle(&mut self, id: &[u8], handle: Handle) {
        self.opened += 1;
        // Bytes that are no text, with NULs among them.
        let name = [&[0xff, 0, 0x80][..], &self.opened.to_be_bytes()].concat();
        self.handles.insert(name.clone(), handle);
        let mut body = id.to_vec();
        string(&mut body, &name);
        self.answer(102, &body);
    }

    fn attributes(&self, node: &Node) -> Vec<u8> {
        let (size, mode) = match node {
            Node::File(content) => (content.len() as u64, 0o100_644_u32),
            Node::Directory => (0, 0o040_755),
        };
        let size = self.whims.told_length.unwrap_or(size);
        [
            &5_u32.to_be_bytes()[..],
            &size.to_be_bytes(),
            &mode.to_be_bytes(),
        ]
        .concat()
    }

    fn request(&mut self, kind: u8, mut fields: Fields<'_>) {
        self.seen.push(kind);
        if kind == 1 {
            let mut body = 3_u32.to_be_bytes().to_vec();
            for (name, version) in self.whims.extensions.clone() {
                string(&mut body, name.as_bytes());
                string(&mut body, version.as_bytes());
            }
            return self.answer(2, &body);
        }
        let id = fields.take(4).to_vec();
        match kind {
            3 => self.open_file(&id, &mut fields),
            4 => {
                let known = self.handles.remove(fields.string()).is_some();
                self.status(&id, if known { 0 } else { 4 });
            }
            5 => self.read(&id, &mut fields),
            6 => self.write(&id, &mut fields),
            9 | 10 => self.status(&id, 0),
            11 => self.open_directory(&id, fields.string()),
            12 => self.read_directory(&id, fields.string()),
            13 => {
                let gone = self.tree.remove(fields.string()).is_some();
                self.status(&id, if gone { 0 } else { 2 });
            }
            14 => {
                let path = fields.string().to_vec();
                let taken = self.tree.contains_key(&path);
                self.tree.entry(path).or_insert(Node::Directory);
                self.status(&id, if taken { 4 } else { 0 });
            }
            17 => match self.tree.get(fields.string()) {
                None => self.status(&id, 2),
                Some(node) => {
                    let body = [&id[..], &self.attributes(node)].concat();
                    self.answer(105, &body);
                }
            },
            200 => self.extended(&id, &mut fields),
            _ => self.status(&id, 8),
        }
    }

    fn open_file(&mut self, id: &[u8], fields: &mut Fields<'_>) {
        let (path, flags) = (fields.string().to_vec(), fields.u32());
        match self.tree.get_mut(&path) {
            Some(Node::Directory) => return self.status(id, 4),
            Some(Node::File(content)) if flags & 16 != 0 => content.clear(),
            Some(Node::File(_)) => {}
            None if flags & 8 != 0 => {
                let above = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                if above > 0 && !self.tree.contains_key(&path[..above]) {
                    return self.status(id, 2);
                }
                self.tree.insert(path.clone(), Node::File(Vec::new()));
            }
            None => return self.status(id, 2),
        }
        self.handle(id, Handle::File(path, 0));
    }

    fn read(&mut self, id: &[u8], fields: &mut Fields<'_>) {
        let (handle, offset, len) = (
            fields.string(),
            fields.u64() as usize,
            fields.u32() as usize,
        );
        self.longest = self.longest.max(len);
        let Some(path) = self.used(handle) else {
            return self.status(id, 4);
        };
        let Some(Node::File(content)) = self.tree.get(&path) else {
            return self.status(id, 4);
        };
        let rest = content.get(offset..).unwrap_or_default();
        let mut len = len.min(rest.len());
        if len == 0 {
            return self.status(id, 1);
        }
        if self.whims.short && self.rng.bool() {
            len = self.rng.usize(1..=len);
        }
        let mut body = id.to_vec();
        string(&mut body, &rest[..len]);
        self.answer(103, &body);
    }

    fn write(&mut self, id: &[u8], fields: &mut Fields<'_>) {
        let (handle, offset) = (fields.string(), fields.u64() as usize);
        let data = fields.string();
        self.longest = self.longest.max(data.len());
        let Some(path) = self.used(handle) else {
            return self.status(id, 4);
        };
        let end = offset + data.len();
        if let Some(Node::File(content)) = self.tree.get_mut(&path)
            && end <= self.whims.disk
        {
            content.resize(content.len().max(end), 0);
            content[offset..end].copy_from_slice(data);
            return self.status(id, 0);
        }
        self.status(id, 4);
    }

    /// The path behind a handle, unless it has vanished.
    fn used(&mut self, handle: &[u8]) -> Option<Vec<u8>> {
        match self.handles.get_mut(handle)? {
            Handle::File(path, uses) => {
                *uses += 1;
                (*uses <= self.whims.vanish_after).then(|| path.clone())
            }
            Handle::Directory(_) => None,
        }
    }

    fn open_directory(&mut self, id: &[u8], path: &[u8]) {
        if self.tree.get(path) != Some(&Node::Directory) {
            return self.status(id, 2);
        }
        let below = [path, b"/"].concat();
        let names = self.tree.iter().filter_map(|(path, node)| {
            let name = path.strip_prefix(&*below)?;
            (!name.contains(&b'/')).then(|| (name.to_vec(), node.clone()))
        });
        let dots = [&b"."[..], b".."].map(|name| (name.to_vec(), Node::Directory));
        let names = dots.into_iter().chain(names).collect();
        self.handle(id, Handle::Directory(names));
    }

    fn read_directory(&mut self, id: &[u8], handle: &[u8]) {
        let Some(Handle::Directory(names)) = self.handles.get_mut(handle) else {
            return self.status(id, 4);
        };
        let some: Vec<_> = names.drain(..names.len().min(self.whims.entries)).collect();
        if some.is_empty() {
            return self.status(id, 1);
        }
        let count = u32::try_from(some.len()).expect("few");
        let mut body = [id, &count.to_be_bytes()].concat();
        for (name, node) in some {
            string(&mut body, &name);
            string(&mut body, &[b"long ", &*name].concat());
            body.extend_from_slice(&self.attributes(&node));
        }
        self.answer(104, &body);
    }

    fn extended(&mut self, id: &[u8], fields: &mut Fields<'_>) {
        match fields.string() {
            b"posix-rename@openssh.com" => {
                let (from, to) = (fields.string(), fields.string());
                match self.tree.remove(from) {
                    None => self.status(id, 2),
                    Some(node) => {
                        self.tree.insert(to.to_vec(), node);
                        self.status(id, 0);
                    }
                }
            }
            b"fsync@openssh.com" => self.status(id, 0),
            b"limits@openssh.com" => {
                let limits = [100_000_u64, 1000, 900, 10].map(u64::to_be_bytes).concat();
                self.answer(201, &[id, &limits].concat());
            }
            _ => self.status(id, 8),
        }
    }
}

fn string(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&u32::try_from(bytes.len()).expect("small").to_be_bytes());
    to.extend_from_slice(bytes);
}

/// Fields of a request of ours: they are right, or the test fails.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().expect("four"))
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take(8).try_into().expect("eight"))
    }

    fn string(&mut self) -> &'a [u8] {
        let len = self.u32() as usize;
        self.take(len)
    }
}

impl Far for Model {
    fn begin(&mut self, kind: Kind, payload: &[u8]) {
        assert_eq!((kind, payload), (Kind::Subsystem, &b"sftp"[..]));
        self.says.push((Kind::Opened, self.greeting.clone()));
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        while let Some(len) = self.heard.first_chunk::<4>() {
            let end = 4 + u32::from_be_bytes(*len) as usize;
            if self.heard.len() < end {
                return;
            }
            let packet: Vec<u8> = self.heard.drain(..end).collect();
            self.request(packet[4], Fields(&packet[5..]));
        }
    }

    fn sure(&self) -> Option<u64> {
        let whims = &self.whims;
        let keeps = whims.honest
            && !whims.short
            && whims.told_length.is_none()
            && whims.vanish_after == usize::MAX;
        let coming = self.says.iter().map(|(_, payload)| payload.len() as u64);
        keeps.then(|| coming.sum())
    }

    fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
        if self.says.is_empty() {
            return None;
        }
        let at = match self.whims.shuffled {
            true => self.rng.usize(..self.says.len()),
            false => 0,
        };
        Some(self.says.remove(at))
    }
}
