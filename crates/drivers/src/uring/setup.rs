//! Making a ring, and finding out what this kernel's ring can do.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_uring::{IoUring, Probe, opcode, types};

/// What differs between kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// A wait takes a deadline (5.11). Otherwise the ring itself is polled.
    pub(super) timed_wait: bool,
    /// A receive can wait for the low-water mark before it tries, and buffers can be
    /// provided in a ring (both 5.19).
    pub(super) poll_first: bool,
}

/// Makes a ring, the best that this kernel has; `baseline` asks for the plainest.
///
/// # Errors
/// io_uring is not there, not permitted or too old, in words.
pub(super) fn ring(entries: u32, baseline: bool) -> io::Result<(IoUring, Abilities)> {
    let ring = build(entries, baseline).map_err(explain)?;
    let mut probe = Probe::new();
    let probed = ring.submitter().register_probe(&mut probe);
    if probed.is_err() || !probe.is_supported(opcode::Recv::CODE) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel's io_uring is older than Linux 5.6; use the blocking driver",
        ));
    }
    let abilities = Abilities {
        timed_wait: !baseline && ring.params().is_feature_ext_arg(),
        // The socket operation came with the same kernel.
        poll_first: !baseline && probe.is_supported(opcode::Socket::CODE),
    };
    Ok((ring, abilities))
}

fn build(entries: u32, baseline: bool) -> io::Result<IoUring> {
    let completions = entries.saturating_mul(8);
    let mut builder = IoUring::builder();
    builder.setup_clamp().setup_cqsize(completions);
    if baseline {
        return builder.build(entries);
    }
    // Completion work runs when we wait and not in the middle of the application's
    // code: fewer interruptions, larger batches (6.1). It binds the ring to its thread.
    let mut deferred = builder.clone();
    deferred
        .setup_submit_all()
        .setup_taskrun_flag()
        .setup_single_issuer()
        .setup_defer_taskrun();
    // The next best thing (5.19).
    let mut cooperative = builder.clone();
    cooperative
        .setup_submit_all()
        .setup_taskrun_flag()
        .setup_coop_taskrun();
    for candidate in [&deferred, &cooperative] {
        match candidate.build(entries) {
            // The kernel does not know one of the flags.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            built => return built,
        }
    }
    builder.build(entries)
}

fn explain(error: io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "io_uring is not permitted here (the sysctl kernel.io_uring_disabled, or the \
             container's seccomp profile); permit it or use the blocking driver"
        }
        Some(libc::ENOSYS) => "this kernel has no io_uring; use the blocking driver",
        Some(libc::ENOMEM) => {
            "io_uring may not lock enough memory; raise the limit (ulimit -l) or ask for a \
             smaller ring"
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            "no descriptor is left for io_uring; raise the limit (ulimit -n)"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{why} ({error})"))
}

/// Hands everything in the submission queue to the kernel, and, if `block` is set,
/// waits for a completion or the deadline.
///
/// # Errors
/// As from the kernel. `EINTR`, `ETIME` and a full completion queue are no errors:
/// the caller looks at what has completed and comes again.
pub(super) fn enter(
    ring: &IoUring,
    abilities: Abilities,
    block: bool,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let submitter = ring.submitter();
    let entered = match deadline {
        _ if !block => submitter.submit(),
        None => submitter.submit_and_wait(1),
        Some(deadline) if abilities.timed_wait => {
            let left = types::Timespec::from(left_until(deadline));
            submitter.submit_with_args(1, &types::SubmitArgs::new().timespec(&left))
        }
        Some(deadline) => submitter.submit().and_then(|taken| {
            poll_ring(ring, deadline)?;
            Ok(taken)
        }),
    };
    match entered {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINTR | libc::ETIME | libc::EBUSY) => Ok(()),
            _ => Err(error),
        },
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Waits for a completion without the kernel's timed wait.
fn poll_ring(ring: &IoUring, deadline: Instant) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd: ring.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = crate::socket::poll_timeout(Some(left_until(deadline)));
    // SAFETY: one live pollfd.
    crate::socket::checked(unsafe { libc::poll(&raw mut poll, 1, timeout) })?;
    Ok(())
}
