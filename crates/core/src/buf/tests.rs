use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use super::*;

#[test]
fn stretches_are_disjoint_and_carry_their_bytes() {
    let mut buf = Buf::with_capacity(10);
    buf.extend_from_slice(b"abcdef");
    let mut front = buf.split_to(3);
    front[0] = b'X';
    buf[0] = b'Y';
    assert_eq!((&*front, &*buf), (&b"Xbc"[..], &b"Yef"[..]));
    assert_eq!(
        front.spare(),
        0,
        "a front stretch cannot grow into its neighbour"
    );
    assert_eq!(buf.spare(), 4);
}

#[test]
fn the_last_stretch_brings_the_block_home_from_any_thread() {
    let pool = Pool::new(1 << 20);
    let mut buf = pool.take(100);
    buf.extend_from_slice(&[7; 100]);
    let front = buf.split_to(50);
    drop(buf);
    assert_eq!(pool.stats().kept_blocks, 0);
    #[allow(clippy::disallowed_methods, reason = "another thread is the test")]
    std::thread::scope(|scope| {
        scope.spawn(move || drop(front));
    });
    assert_eq!(pool.stats().kept_blocks, 1);
    drop(pool.take(100));
    assert_eq!(pool.stats().allocated, 1);
}

#[test]
fn a_pool_keeps_no_more_than_its_bound_and_may_go_first() {
    let pool = Pool::new(3000);
    let (a, b) = (pool.take(2000), pool.take(2000));
    drop(a);
    drop(b);
    assert_eq!(pool.stats().kept_blocks, 1);
    let outlives = pool.take(10);
    drop(pool);
    assert!(outlives.capacity() >= 10);
}

#[test]
fn reclaim_needs_an_empty_sole_owner() {
    let mut buf = Buf::with_capacity(8);
    buf.extend_from_slice(b"12345678");
    let piece = buf.split_to(8);
    assert!(!buf.reclaim(), "a stretch is still out");
    drop(piece);
    assert!(buf.reclaim());
    assert_eq!(buf.capacity(), 8);
}

#[test]
fn a_vector_becomes_a_buffer_in_place() {
    let bytes = b"take me".to_vec();
    let at = bytes.as_ptr();
    let buf = Buf::from(bytes);
    assert_eq!(buf.as_ptr(), at);
    assert_eq!(&*buf, b"take me");
}

#[test]
#[should_panic(expected = "beyond the filled bytes")]
fn advance_past_the_end_is_refused() {
    Buf::from(&b"ab"[..]).advance(3);
}

#[test]
fn a_lent_vector_uses_the_block_in_place() {
    let pool = Pool::new(1 << 20);
    let mut buf = pool.take(100);
    let at = buf.as_ptr();
    let said = buf.append_with(|vec| {
        vec.extend_from_slice(b"sealed");
        42
    });
    assert_eq!((said, &*buf, buf.as_ptr()), (42, &b"sealed"[..], at));
    drop(buf);
    assert_eq!(pool.stats().kept_blocks, 1);
}

#[test]
fn a_lent_vector_may_outgrow_its_block_or_panic() {
    let mut buf = Buf::from(&b"ab"[..]);
    buf.append_with(|vec| vec.extend_from_slice(&[b'c'; 5000]));
    assert_eq!(buf.len(), 5002);
    assert!(buf.spare_mut().iter().all(|byte| *byte == 0));
    let lent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        buf.append_with(|_| panic!("in the middle"));
    }));
    assert!(lent.is_err());
    assert_eq!((buf.len(), buf.capacity()), (0, 0), "the memory is gone");
    assert_eq!(buf.fill_from(b"x"), 0);
}

#[test]
fn a_shared_stretch_is_copied_before_it_is_lent() {
    let mut buf = Buf::from(&b"frontback"[..]);
    let front = buf.split_to(5);
    buf.append_with(|vec| vec.extend_from_slice(b"!"));
    assert_eq!((&*front, &*buf), (&b"front"[..], &b"back!"[..]));
}

/// Counts what it gave and took back, and gives nothing above 20,000 bytes.
#[derive(Default)]
struct Counting {
    given: AtomicUsize,
    back: AtomicUsize,
}

// SAFETY: vectors' memory, each forgotten here and made a vector again when it comes back.
unsafe impl Memory for Counting {
    fn allocate(&self, size: usize) -> Option<NonNull<u8>> {
        if size > 20_000 {
            return None;
        }
        self.given.fetch_add(1, Ordering::Relaxed);
        let mut bytes = core::mem::ManuallyDrop::new(vec![0xaa_u8; size]);
        NonNull::new(bytes.as_mut_ptr())
    }

    unsafe fn free(&self, start: NonNull<u8>, size: usize) {
        self.back.fetch_add(1, Ordering::Relaxed);
        // SAFETY: made from such a vector in `allocate`.
        drop(unsafe { Vec::from_raw_parts(start.as_ptr(), size, size) });
    }
}

#[test]
fn a_pool_over_the_applications_memory_gives_all_of_it_back() {
    let memory = Arc::new(Counting::default());
    let source: Arc<dyn Memory> = memory.clone();
    let counts = || {
        let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (load(&memory.given), load(&memory.back))
    };
    let pool = Pool::over(4096, source);
    let (mut one, two) = (pool.take(10), pool.take(16_000));
    assert!(one.spare_mut().iter().all(|byte| *byte == 0));
    assert_eq!(counts(), (2, 0));
    let large = pool.take(100_000);
    assert_eq!((large.capacity() >= 100_000, counts()), (true, (2, 0)));
    one.extend_from_slice(b"filled");
    let front = one.split_to(3);
    drop(one);
    drop(two);
    assert_eq!(
        counts(),
        (2, 1),
        "the larger one is beyond what may be kept"
    );
    drop(front);
    assert_eq!((counts(), pool.stats().kept_blocks), ((2, 1), 1));
    let again = pool.take(2000);
    assert_eq!(counts(), (2, 1), "used again");
    drop(pool);
    drop(again);
    assert_eq!(counts(), (2, 2));
}
