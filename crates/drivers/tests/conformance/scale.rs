//! Many at once.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread::{self, JoinHandle};

use sockless_core::{ConnId, Endpoint, OpKind};

use crate::rig::{Make, Options, Rig, listener, received, recv_any};

pub(crate) fn a_thousand_sockets_at_once(make: Make) {
    raise_descriptor_limit();
    crowd(&mut Rig::new(make), 1000);
}

pub(crate) fn more_receivers_than_buffers(make: Make) {
    let few = Options {
        recv_buffers: Some(2),
        ..Options::default()
    };
    crowd(&mut Rig::with(make, few), 64);
}

/// Connects that many, lets all of them wait for bytes without a buffer, sends to all
/// before looking, and expects each to get its own.
fn crowd(rig: &mut Rig, count: usize) {
    let (listener, addr) = listener();
    // A full queue of connections would fall back to SYN cookies, and lose some.
    // SAFETY: takes no pointers. A second listen changes the length of the queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 4096) }, 0);
    let accepting = accept(listener, count);
    let conns: Vec<ConnId> = (0..count).map(|_| rig.conn()).collect();
    let connect = |addr: SocketAddr| OpKind::Connect {
        to: Endpoint::Tcp(addr),
        from: None,
    };
    let connects: Vec<_> = conns
        .iter()
        .map(|conn| rig.submit(*conn, connect(addr)))
        .collect();
    for id in connects {
        rig.outcome(id).result.expect("a connection");
    }
    let mut peers = accepting.join().expect("all peers");

    for round in 0..2_u8 {
        let waiting: Vec<_> = conns
            .iter()
            .map(|conn| rig.submit(*conn, recv_any()))
            .collect();
        // In the first round they wait for the bytes, in the second the bytes for them.
        if round == 0 {
            rig.turn();
        }
        for peer in &mut peers {
            let port = peer.peer_addr().expect("its address").port();
            peer.write_all(&[round, (port >> 8) as u8, port as u8])
                .expect("room");
        }
        let mut ports: Vec<u16> = waiting
            .into_iter()
            .map(|id| match received(rig.outcome(id)).expect("bytes")[..] {
                [got, high, low] if got == round => u16::from(high) << 8 | u16::from(low),
                ref other => panic!("somebody else's bytes: {other:?}"),
            })
            .collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), count, "each has its own");
    }
    for conn in conns {
        rig.close(conn);
    }
    rig.expect_quiet();
}

fn accept(listener: TcpListener, count: usize) -> JoinHandle<Vec<TcpStream>> {
    thread::spawn(move || {
        listener
            .incoming()
            .take(count)
            .map(|peer| peer.expect("a peer"))
            .collect()
    })
}

/// Tests run side by side, and each socket has a peer here.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a pointer to a live object.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(read, 0, "{}", io::Error::last_os_error());
    let wanted = limit.rlim_max.min(32_768);
    if limit.rlim_cur < wanted {
        limit.rlim_cur = wanted;
        // SAFETY: a pointer to a live object.
        let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    }
}
