//! Allocations per record in steady state, counted: there are none.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sockless_core::Buf;
use sockless_tls::Backend;

/// The one that promises it.
const BACKEND: Backend = Backend::Rustls;

#[path = "../tls/peer.rs"]
mod peer;

use peer::{Local, Remote, both_versions, drain, pattern};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: it only counts; memory is the system allocator's in every respect.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread during `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

const RECORDS: usize = 16;
/// The first rounds fill the pool and grow the pipes' queues.
const WARM_UP: usize = 4;
const ROUNDS: usize = WARM_UP + 63;

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn opening_a_thousand_records_allocates_nothing() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        local.app_in.set_limit(1 << 20);
        let mut steady = 0;
        for round in 0..ROUNDS {
            // Exactly full records: 16 KiB of ciphertext each.
            (0..RECORDS).for_each(|_| remote.write(&pattern(16_000)));
            let received = pooled(&local, &remote.take());
            local.net_in.push(received);
            let count = allocations(|| local.pump().unwrap());
            assert_eq!(local.app_in.pieces(), RECORDS);
            while local.app_in.pop().is_some() {}
            steady += if round < WARM_UP { 0 } else { count };
        }
        assert_eq!(steady, 0, "for {} records", RECORDS * (ROUNDS - WARM_UP));
        assert_eq!(local.copied, 0);
    }
}

#[test]
fn sealing_a_thousand_records_allocates_nothing() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        local.net_out.set_limit(1 << 20);
        let body = pattern(RECORDS * 16_000);
        let (mut steady, mut sent) = (0, 0);
        for round in 0..ROUNDS {
            for piece in body.chunks(30_000) {
                let piece = pooled(&local, piece);
                local.app_out.push(piece);
            }
            let count = allocations(|| local.pump().unwrap());
            assert!(local.app_out.is_empty());
            sent += receive(&mut local, &mut remote);
            steady += if round < WARM_UP { 0 } else { count };
        }
        assert_eq!(steady, 0, "for {} records", RECORDS * (ROUNDS - WARM_UP));
        assert_eq!(sent, ROUNDS * body.len());
    }
}

/// A buffer that was outgrown is not the pool's any more.
#[test]
fn sealed_buffers_are_never_outgrown() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        local.net_out.set_limit(1 << 20);
        for full in [16_360, 16_367] {
            for len in (0..=17).flat_map(|n| [n * full, n * full + 1, n * full + 1_960]) {
                local.app_out.push(Buf::from(pattern(len)));
                local.pump().unwrap();
                receive(&mut local, &mut remote);
                let stats = local.pool.stats();
                assert_eq!(stats.allocated, stats.kept_blocks as u64, "{len} bytes");
            }
        }
    }
}

#[test]
fn a_pump_with_nothing_to_do_allocates_nothing() {
    for world in both_versions() {
        let (mut local, _remote) = world.connected();
        let moved = local.net_in.moved() + local.net_out.moved();
        assert_eq!(
            allocations(|| (0..1000).for_each(|_| local.pump().unwrap())),
            0
        );
        assert_eq!(local.net_in.moved() + local.net_out.moved(), moved);
    }
}

fn pooled(local: &Local, bytes: &[u8]) -> Buf {
    let mut buf = local.pool.take(bytes.len());
    buf.extend_from_slice(bytes);
    buf
}

fn receive(local: &mut Local, remote: &mut Remote) -> usize {
    let wire = drain(&mut local.net_out);
    remote.receive(&wire);
    std::mem::take(&mut remote.got).len()
}
