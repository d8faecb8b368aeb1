//! What only a ring has: memory that the kernel may write to, and being forbidden.
#![cfg(all(target_os = "linux", feature = "uring"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the peers of a driver's tests are plain sockets and threads"
)]

#[path = "conformance/watched.rs"]
mod watched;

use std::hint::black_box;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::thread;

use sockless_core::{Buf, Completion, ConnId, Driver, Endpoint, Op, OpId, OpKind, Pool};
use sockless_drivers::{Uring, UringConfig};
use watched::Watched;

fn connect(driver: &mut Uring, conn: ConnId) -> TcpStream {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let to = Endpoint::Tcp(listener.local_addr().expect("its address"));
    submit(driver, conn, u64::MAX, OpKind::Connect { to, from: None });
    only(driver).result.expect("a connection");
    listener.accept().expect("a peer").0
}

fn submit(driver: &mut Uring, conn: ConnId, id: u64, kind: OpKind) {
    driver.submit(Op {
        id: OpId::from_u64(id),
        conn,
        kind,
    });
}

fn only(driver: &mut Uring) -> Completion {
    let mut done = Vec::new();
    driver.wait(None, &mut done).expect("a working driver");
    assert_eq!(done.len(), 1, "{done:?}");
    done.remove(0)
}

/// The socket outlives the driver through a duplicate, so a receive that the kernel had
/// not let go of would take the late bytes, into memory that is somebody else's by then.
#[test]
fn a_dropped_driver_has_taken_its_receives_back() {
    for config in [
        UringConfig::default(),
        UringConfig::default().baseline(true),
    ] {
        let mut driver = Uring::with_config(config).expect("io_uring is permitted");
        let conn = ConnId::from_u64(1);
        let mut peer = connect(&mut driver, conn);
        let (watched, buf) = Watched::new();
        submit(
            &mut driver,
            conn,
            1,
            OpKind::Recv {
                buf: Some(buf),
                min: 1,
            },
        );
        submit(&mut driver, conn, 2, OpKind::Recv { buf: None, min: 1 });
        let past = driver.now();
        driver
            .wait(Some(past), &mut Vec::new())
            .expect("a working driver");
        let fd = driver.raw_fd(conn).expect("an open socket");
        // SAFETY: the driver has the socket open.
        let duplicate = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
        let mut duplicate = TcpStream::from(duplicate.expect("a descriptor"));
        assert!(!watched.is_released());

        drop(driver);
        assert!(watched.is_released(), "the kernel has let go of it");
        watched.reuse();
        peer.write_all(b"late bytes").expect("room");
        drop(peer);
        let mut late = String::new();
        duplicate
            .read_to_string(&mut late)
            .expect("text to its end");
        assert_eq!(late, "late bytes");
        assert!(watched.is_untouched());
    }
}

/// What the kernel may write to at any time without an operation's memory: the buffers that
/// are provided to it. The pool shows when they are back, and gives the same memory out again.
#[test]
fn a_dropped_driver_has_taken_its_provided_buffers_back() {
    const COUNT: usize = 4;
    const SIZE: usize = 4096;
    let pool = Pool::default();
    let config = UringConfig::default()
        .recv_buffers(COUNT as u16)
        .recv_buffer_size(SIZE)
        .pool(pool.clone());
    let mut driver = Uring::with_config(config).expect("io_uring is permitted");
    let mut ends = Vec::new();
    for n in 0..2 * COUNT as u64 {
        let conn = ConnId::from_u64(n);
        let peer = connect(&mut driver, conn);
        submit(&mut driver, conn, n, OpKind::Recv { buf: None, min: 1 });
        let fd = driver.raw_fd(conn).expect("an open socket");
        // SAFETY: the driver has the socket open.
        let duplicate = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
        ends.push((peer, TcpStream::from(duplicate.expect("a descriptor"))));
    }
    let past = driver.now();
    driver
        .wait(Some(past), &mut Vec::new())
        .expect("a working driver");
    let before = pool.stats();
    assert_eq!((before.kept_blocks, before.allocated), (0, COUNT as u64));

    drop(driver);
    assert_eq!(pool.stats().kept_blocks, COUNT, "the kernel has let go");
    let mut reused: Vec<Buf> = (0..COUNT).map(|_| pool.take(SIZE)).collect();
    assert_eq!(pool.stats().allocated, COUNT as u64, "the same memory");
    reused.iter_mut().for_each(|buf| buf.spare_mut().fill(0xA5));
    for (mut peer, mut duplicate) in ends {
        peer.write_all(b"late bytes").expect("room");
        drop(peer);
        let mut late = String::new();
        duplicate
            .read_to_string(&mut late)
            .expect("text to its end");
        assert_eq!(late, "late bytes");
    }
    for buf in &mut reused {
        let untouched = black_box(buf.spare_mut()).iter().all(|byte| *byte == 0xA5);
        assert!(untouched, "the next owner's memory was written to");
    }
}

/// A buffer that was filled and not fetched yet goes with the driver, or back to the pool.
#[test]
fn filled_buffers_that_nobody_fetched_are_not_lost() {
    let pool = Pool::default();
    let config = UringConfig::default().recv_buffers(2).pool(pool.clone());
    let mut driver = Uring::with_config(config).expect("io_uring is permitted");
    let conn = ConnId::from_u64(1);
    let mut peer = connect(&mut driver, conn);
    submit(&mut driver, conn, 1, OpKind::Recv { buf: None, min: 1 });
    let past = driver.now();
    driver
        .wait(Some(past), &mut Vec::new())
        .expect("a working driver");
    peer.write_all(b"nobody waits for this").expect("room");
    drop(driver);
    let stats = pool.stats();
    assert_eq!(stats.kept_blocks as u64, stats.allocated, "all are back");
}

#[test]
fn a_cancelled_receive_keeps_its_memory_until_it_is_back() {
    let mut driver = Uring::new().expect("io_uring is permitted");
    let conn = ConnId::from_u64(1);
    let _peer = connect(&mut driver, conn);
    let (watched, buf) = Watched::new();
    submit(
        &mut driver,
        conn,
        1,
        OpKind::Recv {
            buf: Some(buf),
            min: 1,
        },
    );
    let past = driver.now();
    driver
        .wait(Some(past), &mut Vec::new())
        .expect("a working driver");
    driver.cancel(OpId::from_u64(1));
    assert!(!watched.is_released(), "a cancel is not a completion");
    let back = only(&mut driver);
    assert!(!watched.is_released());
    drop(back);
    assert!(watched.is_released());
}

#[test]
fn steady_receiving_allocates_nothing() {
    let pool = Pool::default();
    let config = UringConfig::default().recv_buffers(4).pool(pool.clone());
    let mut driver = Uring::with_config(config).expect("io_uring is permitted");
    let conn = ConnId::from_u64(1);
    let mut peer = connect(&mut driver, conn);
    let mut allocated = Vec::new();
    for n in 0..100 {
        submit(&mut driver, conn, n, OpKind::Recv { buf: None, min: 1 });
        peer.write_all(&[n as u8; 10]).expect("room");
        assert_eq!(only(&mut driver).result.expect("bytes"), 10);
        allocated.push(pool.stats().allocated);
    }
    assert_eq!(allocated[1], allocated[99], "buffers go round");
}

#[test]
fn buffers_are_made_when_they_are_wanted() {
    let pool = Pool::default();
    let config = UringConfig::default().pool(pool.clone());
    let mut driver = Uring::with_config(config).expect("io_uring is permitted");
    assert_eq!(pool.stats().allocated, 0);
    let mut peers = Vec::new();
    for n in 0..3 {
        let conn = ConnId::from_u64(n);
        peers.push(connect(&mut driver, conn));
        submit(&mut driver, conn, n, OpKind::Recv { buf: None, min: 1 });
        let past = driver.now();
        driver
            .wait(Some(past), &mut Vec::new())
            .expect("a working driver");
        assert_eq!(pool.stats().allocated, n + 1);
    }
}

#[test]
fn where_io_uring_is_forbidden_the_error_says_so() {
    let error = thread::spawn(|| {
        forbid_io_uring(libc::EPERM);
        Uring::new().expect_err("it is forbidden on this thread")
    });
    let error = error.join().expect("no panic");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = error.to_string();
    assert!(
        text.contains("kernel.io_uring_disabled") && text.contains("blocking"),
        "{text}"
    );

    let error = thread::spawn(|| {
        forbid_io_uring(libc::ENOSYS);
        Uring::new().expect_err("it is missing for this thread")
    });
    let error = error.join().expect("no panic");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("no io_uring"), "{error}");
}

/// Makes the kernel answer `io_uring_setup` with `errno`, on this thread, for good.
fn forbid_io_uring(errno: libc::c_int) {
    const LOAD_NUMBER: u32 = 0;
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut program = [
        step(
            libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
            0,
            0,
            LOAD_NUMBER,
        ),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            0,
            1,
            libc::SYS_io_uring_setup as u32,
        ),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | errno as u32,
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the first call takes numbers only, the second a live program; both affect
    // this thread only.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter),
            0
        );
    }
}
