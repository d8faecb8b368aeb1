//! Any answers of a server of sftp, scp or a command: no panic, no endless turn, and no path
//! that leads out of its folder.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{Body, Buf, Cx, Event, Events, Exchange, Pipe, Pool, Top, Turn};
use sockless_ssh::Exec;
use sockless_ssh::message::{Kind, put_bytes};
use sockless_ssh::scp::{ScpGet, ScpPut};
use sockless_ssh::sftp::{Command, Form, Get, GetTree, List, Put, PutTree, Sftp};

#[derive(arbitrary::Arbitrary, Debug)]
enum Said<'a> {
    Bytes(&'a [u8]),
    /// A packet of sftp: kind, id, and the rest.
    Packet(u8, u8, &'a [u8]),
    Stderr(&'a [u8]),
    Status(u8),
    Closed,
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    which: u8,
    body: &'a [u8],
    said: Vec<Said<'a>>,
}

fn exchange(which: u8) -> Box<dyn Exchange> {
    match which % 10 {
        0 => Box::new(Sftp::get(Get::new("p"))),
        1 => Box::new(Sftp::put(Put::new("p").atomic(".x").directories())),
        2 => Box::new(Sftp::list(List::new("p", Form::Entries))),
        3 => Box::new(Sftp::get_tree(GetTree::new("p"))),
        4 => Box::new(Sftp::put_tree(PutTree::new("p"))),
        5 => Box::new(Sftp::commands([
            Command::RealPath(b".".to_vec()),
            Command::Copy { from: b"a".to_vec(), to: b"b".to_vec() },
        ])),
        6 => Box::new(ScpGet::new("p").recursive().exchange()),
        7 => Box::new(ScpPut::new("p", 10).exchange()),
        8 => Box::new(ScpPut::tree("p").exchange()),
        _ => Box::new(Exec::new("p")),
    }
}

fn say(said: &Said<'_>, from_peer: &mut Pipe, cx: &Cx<'_>) {
    match said {
        Said::Bytes(bytes) => put_bytes(from_peer, cx, 0, Kind::Data, bytes),
        Said::Packet(kind, id, rest) => {
            let len = (rest.len() as u32 + 5).to_be_bytes();
            let packet = [&len[..], &[*kind, 0, 0, 0, *id], rest].concat();
            put_bytes(from_peer, cx, 0, Kind::Data, &packet);
        }
        Said::Stderr(bytes) => put_bytes(from_peer, cx, 0, Kind::Stderr, bytes),
        Said::Status(code) => put_bytes(from_peer, cx, 0, Kind::ExitStatus, &[0, 0, 0, *code]),
        Said::Closed => put_bytes(from_peer, cx, 0, Kind::Closed, &[]),
    }
}

fuzz_target!(|input: Input<'_>| {
    let mut exchange = exchange(input.which);
    let leads_out = |path: &[u8]| path.split(|byte| *byte == b'/').any(|name| name == b"..");
    let (pool, mut copied, now) = (Pool::default(), 0, Instant::now());
    let (mut from_peer, mut to_peer) = (Pipe::new(1 << 16), Pipe::new(1 << 16));
    let (mut events, mut body) = (Events::new(1 << 16), Body::new(1 << 16));
    body.pipe.push(Buf::from(input.body));
    body.pipe.finish();
    let mut said = input.said.iter();
    let mut opened = false;
    loop {
        let mut cx = Cx::new(now, SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
        let top = Top { from_peer: &mut from_peer, to_peer: &mut to_peer, events: &mut events, body: &mut body };
        let turn = exchange.pump(top, &mut cx);
        to_peer.clear();
        while let Some(event) = events.pop() {
            if let (Event::Entry(entry), 3 | 6) = (event, input.which % 10) {
                assert!(!leads_out(&entry.path), "{:?}", entry.path);
            }
        }
        if !matches!(turn, Ok(Turn::Blocked)) {
            return;
        }
        if !core::mem::replace(&mut opened, true) {
            put_bytes(&mut from_peer, &cx, 0, Kind::Opened, &[]);
        } else if let Some(said) = said.next() {
            say(said, &mut from_peer, &cx);
        } else if from_peer.is_finished() {
            return;
        } else {
            from_peer.finish();
        }
    }
});
