//! Bytes go where they should.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::thread;

use sockless_core::{Buf, Endpoint, MAX_SEND_BUFS, OpKind};

use crate::rig::{Make, Rig, listener, received, recv, recv_any, send, set_option};

pub(crate) fn a_receive_reports_bytes_and_leaves_growing_to_the_engine(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    peer.write_all(b"0123456789").expect("room");
    let mut all = Vec::new();
    while all.len() < 10 {
        let completion = rig.run(conn, recv(4, 1));
        let OpKind::Recv { buf: Some(buf), .. } = &completion.op.kind else {
            panic!("a buffer")
        };
        assert_eq!((buf.len(), buf.spare()), (0, 4));
        all.extend(received(completion).expect("bytes"));
    }
    assert_eq!(all, b"0123456789");
}

pub(crate) fn what_a_buffer_holds_stays_in_front(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    peer.write_all(b" and the rest").expect("room");
    let mut buf = Buf::with_capacity(64);
    buf.extend_from_slice(b"the beginning");
    let completion = rig.run(
        conn,
        OpKind::Recv {
            buf: Some(buf),
            min: 1,
        },
    );
    assert_eq!(
        received(completion).expect("bytes"),
        b"the beginning and the rest"
    );
}

pub(crate) fn a_receive_without_buffer_gets_one(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let waiting = rig.submit(conn, recv_any());
    rig.turn();
    assert!(!rig.has_arrived(waiting));
    peer.write_all(b"here").expect("room");
    assert_eq!(received(rig.outcome(waiting)).expect("bytes"), b"here");
    drop(peer);
    assert_eq!(received(rig.run(conn, recv_any())).expect("the end"), b"");
}

pub(crate) fn a_large_send_is_short_and_its_rest_can_follow(make: Make) {
    const SIZE: usize = 32 << 20;
    let mut rig = Rig::new(make);
    let (listener, addr) = listener();
    // Inherited by what it accepts.
    set_option(&listener, libc::SO_RCVBUF, &4096);
    let conn = rig.connect(Endpoint::Tcp(addr));
    let (mut peer, _) = listener.accept().expect("a peer");
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at / 997) as u8).collect();

    let first = rig.run(
        conn,
        OpKind::Send {
            bufs: vec![Buf::from(bytes.clone())],
        },
    );
    let mut sent = first.result.expect("some bytes");
    assert!(0 < sent && sent < SIZE, "{sent} bytes fit nowhere");
    let OpKind::Send { bufs } = first.op.kind else {
        panic!("a send")
    };
    let mut rest = bufs.into_iter().next().expect("its buffer");
    rest.advance(sent);

    let reader = thread::spawn(move || {
        let mut all = Vec::with_capacity(SIZE);
        peer.read_to_end(&mut all).expect("all of it");
        all
    });
    while sent < SIZE {
        let completion = rig.run(conn, OpKind::Send { bufs: vec![rest] });
        let n = completion.result.expect("some bytes");
        let OpKind::Send { bufs } = completion.op.kind else {
            panic!("a send")
        };
        rest = bufs.into_iter().next().expect("its buffer");
        rest.advance(n);
        sent += n;
    }
    rig.run(conn, OpKind::Shutdown).result.expect("a shutdown");
    assert!(
        reader.join().expect("a reader") == bytes,
        "other bytes than were sent"
    );
}

pub(crate) fn pieces_are_sent_in_order(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let pieces: Vec<Vec<u8>> = (0..MAX_SEND_BUFS)
        .map(|n| vec![b'a' + n as u8; (n * 37) % 101])
        .collect();
    let bufs = pieces
        .iter()
        .map(|piece| Buf::from(piece.as_slice()))
        .collect();
    let all = pieces.concat();
    let sent = rig.run(conn, OpKind::Send { bufs }).result.expect("bytes");
    assert_eq!(sent, all.len(), "it fits into any socket's buffer");
    let mut got = vec![0; all.len()];
    peer.read_exact(&mut got).expect("all of it");
    assert_eq!(got, all);
}

pub(crate) fn both_directions_move_at_once(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let reading = rig.submit(conn, recv(16, 1));
    assert_eq!(rig.run(conn, send(b"ping")).result.expect("bytes"), 4);
    assert!(!rig.has_arrived(reading));
    let mut ping = [0; 4];
    peer.read_exact(&mut ping).expect("ping");
    peer.write_all(b"pong").expect("room");
    assert_eq!(received(rig.outcome(reading)).expect("bytes"), b"pong");
}

pub(crate) fn half_close_leaves_the_other_half_open(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    rig.run(conn, send(b"question")).result.expect("bytes");
    rig.run(conn, OpKind::Shutdown).result.expect("a shutdown");
    let mut question = String::new();
    peer.read_to_string(&mut question).expect("text to its end");
    assert_eq!(question, "question");
    peer.write_all(b"answer").expect("the other half");
    peer.shutdown(Shutdown::Write).expect("a shutdown");
    assert_eq!(rig.recv_all(conn), b"answer");
    rig.close(conn);
}

pub(crate) fn a_minimum_ends_at_the_peer_s_fin(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let waiting = rig.submit(conn, recv(64 * 1024, 50_000));
    rig.turn();
    peer.write_all(b"a short tail").expect("room");
    rig.turn();
    drop(peer);
    let tail = received(rig.outcome(waiting)).expect("what there is");
    assert_eq!(tail, b"a short tail");
    let end = rig.run(conn, recv(64 * 1024, 50_000));
    assert_eq!(received(end).expect("the end"), b"");
}

pub(crate) fn a_minimum_beyond_the_room_is_the_room(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let waiting = rig.submit(conn, recv(16, usize::MAX));
    peer.write_all(&[7; 16]).expect("room");
    assert_eq!(received(rig.outcome(waiting)).expect("bytes"), [7; 16]);
}

pub(crate) fn a_minimum_does_not_stick(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    peer.write_all(&[1; 2000]).expect("room");
    let mut left = 2000;
    while left > 0 {
        left -= received(rig.run(conn, recv(4096, left)))
            .expect("bytes")
            .len();
    }
    peer.write_all(&[2]).expect("room");
    assert_eq!(received(rig.run(conn, recv(4096, 1))).expect("a byte"), [2]);
    peer.write_all(&[3; 500]).expect("room");
    let mut left = 500;
    while left > 0 {
        let any = OpKind::Recv {
            buf: None,
            min: left,
        };
        left -= received(rig.run(conn, any)).expect("bytes").len();
    }
    peer.write_all(&[4]).expect("room");
    assert_eq!(received(rig.run(conn, recv_any())).expect("a byte"), [4]);
}

pub(crate) fn datagrams_keep_their_borders(make: Make) {
    let mut rig = Rig::new(make);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let conn = rig.connect(Endpoint::Udp(peer.local_addr().expect("its address")));
    rig.run(conn, send(b"one")).result.expect("a datagram");
    let bufs = vec![Buf::from(&b"two"[..]), Buf::from(&b" pieces"[..])];
    rig.run(conn, OpKind::Send { bufs })
        .result
        .expect("a datagram");
    for expected in [&b"one"[..], b"two pieces"] {
        let mut datagram = [0; 64];
        let (n, from) = peer.recv_from(&mut datagram).expect("a datagram");
        assert_eq!(&datagram[..n], expected);
        peer.send_to(&datagram[..n], from).expect("an echo");
    }
    // The hint means nothing for datagrams.
    assert_eq!(
        received(rig.run(conn, recv(64, 50))).expect("an echo"),
        b"one"
    );
    assert_eq!(
        received(rig.run(conn, recv_any())).expect("an echo"),
        b"two pieces"
    );
}

pub(crate) fn unix_sockets_work(make: Make) {
    let mut rig = Rig::new(make);
    let folder = Folder::new();
    let path = folder.0.join("socket");
    let listener = UnixListener::bind(&path).expect("a listener");
    let conn = rig.connect(Endpoint::Unix(path));
    let (mut peer, _) = listener.accept().expect("a peer");
    rig.run(conn, send(b"question")).result.expect("bytes");
    let mut question = [0; 8];
    peer.read_exact(&mut question).expect("the question");
    peer.write_all(b"answer").expect("room");
    drop(peer);
    assert_eq!(
        received(rig.run(conn, recv(64, 50))).expect("bytes"),
        b"answer"
    );
    assert_eq!(rig.recv_all(conn), b"");
}

/// A folder of its own, for as long as the test runs.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let unique = thread::current().id();
        let name = format!("sockless-drivers-{}-{unique:?}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn ipv6_works(make: Make) {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        println!("skipped: this machine has no ::1");
        return;
    };
    let mut rig = Rig::new(make);
    let conn = rig.connect(Endpoint::Tcp(listener.local_addr().expect("its address")));
    let (mut peer, _) = listener.accept().expect("a peer");
    peer.write_all(b"six").expect("room");
    assert_eq!(received(rig.run(conn, recv_any())).expect("bytes"), b"six");
}

pub(crate) fn a_connection_leaves_from_the_wanted_address(make: Make) {
    let mut rig = Rig::new(make);
    let (listener, addr) = listener();
    let from = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let conn = rig.conn();
    let connect = OpKind::Connect {
        to: Endpoint::Tcp(addr),
        from,
    };
    rig.run(conn, connect).result.expect("a connection");
    assert_eq!(Some(listener.accept().expect("a peer").1.ip()), from);

    let other = rig.conn();
    let from = Some(IpAddr::V6(Ipv6Addr::LOCALHOST));
    let connect = OpKind::Connect {
        to: Endpoint::Tcp(addr),
        from,
    };
    assert_eq!(
        rig.failure(other, connect).kind(),
        std::io::ErrorKind::InvalidInput
    );
}
