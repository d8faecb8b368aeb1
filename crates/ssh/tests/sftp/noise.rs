//! Answers that chance makes up, to requests that were made: no panic, no endless loop, and no
//! name that leads out of its folder.

use std::collections::VecDeque;

use sockless_core::Event;
use sockless_ssh::feed::Item;
use sockless_ssh::message::Kind;
use sockless_ssh::sftp::{Change, Command, Form, Get, GetTree, List, Put, PutTree, Sftp};

use crate::stand::{Far, Manner, run};

struct Noise {
    rng: fastrand::Rng,
    greeted: u8,
    heard: Vec<u8>,
    /// Requests without an answer: kind and id.
    open: VecDeque<(u8, [u8; 4])>,
    left: usize,
}

impl Noise {
    fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            greeted: 0,
            heard: Vec::new(),
            open: VecDeque::new(),
            left: 500,
        }
    }

    fn string(&mut self, body: &mut Vec<u8>) {
        let some: [&[u8]; 8] = [
            b"", b"a", b"..", b"b/c", b"name", b"\xff\n", b"x\0", &[7; 200],
        ];
        let chosen = some[self.rng.usize(..some.len())];
        let lie = if self.rng.u8(..50) == 0 { 1 } else { 0 };
        body.extend_from_slice(&(chosen.len() as u32 + lie).to_be_bytes());
        body.extend_from_slice(chosen);
    }

    fn attributes(&mut self, body: &mut Vec<u8>) {
        let mode = [0o100_644_u32, 0o040_755, 0o120_777][self.rng.usize(..3)];
        let size = self.rng.u64(..300);
        body.extend_from_slice(&5_u32.to_be_bytes());
        body.extend_from_slice(&size.to_be_bytes());
        body.extend_from_slice(&mode.to_be_bytes());
    }

    /// An answer: mostly one that fits the request.
    fn answer(&mut self, request: u8, id: [u8; 4]) -> Vec<u8> {
        let fitting = match request {
            3 | 11 => 102,
            5 => 103,
            7 | 8 | 17 => 105,
            12 | 16 | 19 => 104,
            200 => 201,
            _ => 101,
        };
        let kind = match self.rng.u8(..12) {
            0 => self.rng.u8(..),
            1..=3 => 101,
            _ => fitting,
        };
        let mut body = id.to_vec();
        match kind {
            101 => {
                let code = self.rng.u32(..10) * u32::from(self.rng.bool());
                body.extend_from_slice(&code.to_be_bytes());
                self.string(&mut body);
                self.string(&mut body);
            }
            102 | 103 => self.string(&mut body),
            105 => self.attributes(&mut body),
            104 => {
                let count = self.rng.u32(..4);
                body.extend_from_slice(&count.to_be_bytes());
                for _ in 0..count {
                    self.string(&mut body);
                    self.string(&mut body);
                    self.attributes(&mut body);
                }
            }
            _ => (0..self.rng.usize(..200)).for_each(|n| body.push(n as u8)),
        }
        let len = (body.len() + 1) as u32;
        [&len.to_be_bytes()[..], &[kind], &body].concat()
    }
}

impl Far for Noise {
    fn begin(&mut self, _: Kind, _: &[u8]) {}

    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        while let Some(len) = self.heard.first_chunk::<4>() {
            let end = 4 + u32::from_be_bytes(*len) as usize;
            if self.heard.len() < end {
                return;
            }
            let packet: Vec<u8> = self.heard.drain(..end).collect();
            if packet[4] != 1 {
                let id = [packet[5], packet[6], packet[7], packet[8]];
                self.open.push_back((packet[4], id));
            }
        }
    }

    fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
        self.left -= 1;
        if self.left == 0 {
            self.open.clear();
        }
        self.greeted = (self.greeted + 1).min(3);
        if self.greeted == 1 {
            return Some((Kind::Opened, Vec::new()));
        }
        if self.greeted == 2 {
            let names = [
                ("limits@openssh.com", "1"),
                ("posix-rename@openssh.com", "1"),
                ("copy-data", "1"),
            ];
            let mut body = vec![2, 0, 0, 0, 3];
            for text in names.iter().flat_map(|(name, version)| [name, version]) {
                body.extend_from_slice(&(text.len() as u32).to_be_bytes());
                body.extend_from_slice(text.as_bytes());
            }
            return Some((
                Kind::Data,
                [&(body.len() as u32).to_be_bytes()[..], &body].concat(),
            ));
        }
        if self.open.is_empty() {
            return Some((Kind::Closed, Vec::new()));
        }
        let at = self.rng.usize(..self.open.len());
        let (request, id) = self.open.remove(at)?;
        Some((Kind::Data, self.answer(request, id)))
    }
}

fn exchange(which: u64) -> Sftp {
    let path = || b"p".to_vec();
    match which {
        0 => Sftp::get(Get::new("p")),
        1 => Sftp::put(Put::new("p").atomic(".x").directories()),
        2 => Sftp::put(Put::new("p/q").resume().directories()),
        3 => Sftp::list(List::new("p", Form::Entries)),
        4 => Sftp::get_tree(GetTree::new("p")),
        5 => Sftp::put_tree(PutTree::new("p")),
        _ => Sftp::commands([
            Command::Stat {
                path: path(),
                follow: true,
            },
            Command::RealPath(path()),
            Command::Change {
                path: path(),
                change: Change::User(1),
            },
            Command::Copy {
                from: path(),
                to: path(),
            },
            Command::Touch {
                path: path(),
                times: (1, 2),
            },
        ]),
    }
}

#[test]
fn nothing_that_a_server_makes_up_breaks_a_session() {
    let items = [
        (Item::directory("d"), &b""[..]),
        (Item::file("d/e", 300), &[1; 300]),
        (Item::file("f", 0), b""),
    ];
    let tree: Vec<u8> = items
        .iter()
        .flat_map(|(item, content)| [&item.encode()[..], content].concat())
        .collect();
    let mut good = 0;
    for seed in 0..7000 {
        let body = if seed % 7 == 5 {
            tree.clone()
        } else {
            vec![1; 1000]
        };
        let manner = Manner {
            body,
            ..Manner::default()
        };
        let (told, outcome) = run(exchange(seed % 7), &mut Noise::new(seed), manner);
        good += usize::from(outcome.is_ok());
        for event in &told.events {
            if let (Event::Entry(entry), 4) = (event, seed % 7) {
                let mut names = entry.path.split(|byte| *byte == b'/');
                assert!(
                    names.all(|name| !matches!(name, b"" | b"." | b"..")),
                    "seed {seed}"
                );
            }
        }
    }
    assert!(good > 100, "chance is too unkind to show much: {good}");
}
