//! The C functions and the Rust interface below them on the same sockets: one loop on epoll, which knows
//! operations by what both say of them, and nothing of where they come from.

mod in_c;
mod in_rust;

use std::io;
use std::time::Instant;

use super::{Task, unknown};
use crate::measure::{self, Figures};

/// What an interface hands out, and what it has to be told.
trait Interface {
    type Op;

    fn start(&mut self, now: Instant) -> io::Result<()>;
    fn next(&mut self, now: Instant) -> io::Result<Next<Self::Op>>;
    /// A number of bytes, or an error's number as the system's calls give it.
    fn complete(
        &mut self,
        now: Instant,
        op: Self::Op,
        result: Result<usize, i32>,
    ) -> io::Result<()>;

    /// The number of its socket, and what to do there.
    fn wanted(&mut self, op: &mut Self::Op) -> (usize, Wanted);
    fn id(op: &Self::Op) -> u64;
}

enum Next<Op> {
    Submit(Op),
    Cancel(u64),
    /// Bytes of a body.
    Data(usize),
    Done,
    Other,
    Wait(Option<Instant>),
}

/// What an operation wants; memory is valid until it is completed.
#[derive(Clone, Copy)]
enum Wanted {
    Connect(libc::sockaddr_in),
    Receive(*mut u8, usize),
    Send(*const libc::iovec, usize),
    Shutdown,
    Close,
    Unknown,
}

pub(super) fn run(client: &str, work: &str, task: &Task) -> io::Result<Figures> {
    if !matches!(work, "download" | "small") {
        return Err(unknown(work));
    }
    measure::timed(|| match client {
        "wire-c" => requests(&mut in_c::InC::new(task)?, task),
        _ => requests(&mut in_rust::InRust::new(task)?, task),
    })
}

/// The same as the library's own drivers are asked for.
fn requests<I: Interface>(interface: &mut I, task: &Task) -> io::Result<()> {
    let mut sockets = Sockets::new()?;
    let (mut left, mut active, mut bytes) = (task.count.max(1), 0, 0);
    let mut now = Instant::now();
    while active < task.connections.max(1) && left > 0 {
        (left, active) = (left - 1, active + 1);
        interface.start(now)?;
    }
    loop {
        match interface.next(now)? {
            Next::Submit(mut op) => {
                let (slot, wanted) = interface.wanted(&mut op);
                sockets.submit(slot, op, wanted);
            }
            Next::Cancel(id) => sockets.cancel(id, I::id),
            Next::Data(more) => bytes += more,
            Next::Done => {
                active -= 1;
                now = Instant::now();
                if left > 0 {
                    (left, active) = (left - 1, active + 1);
                    interface.start(now)?;
                }
            }
            Next::Other => {}
            Next::Wait(_) if active == 0 => break,
            Next::Wait(deadline) => {
                sockets.wait(deadline)?;
                now = Instant::now();
                for (op, result) in sockets.done.drain(..) {
                    interface.complete(now, op, result)?;
                }
            }
        }
    }
    match bytes {
        0 => Err(io::Error::other("no byte of body came")),
        _ => Ok(()),
    }
}

/// One direction of a socket.
struct Direction<Op> {
    ready: bool,
    waiting: Option<(Op, Wanted)>,
}

struct Socket<Op> {
    fd: i32,
    receive: Direction<Op>,
    send: Direction<Op>,
}

/// Sockets by their slots, watched by edges: an operation is tried at once where its direction may be
/// ready, and again when it has become so.
struct Sockets<Op> {
    epoll: i32,
    all: Vec<Socket<Op>>,
    events: Vec<libc::epoll_event>,
    done: Vec<(Op, Result<usize, i32>)>,
}

impl<Op> Sockets<Op> {
    fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        match epoll {
            0.. => Ok(Self {
                epoll,
                all: Vec::new(),
                events: vec![libc::epoll_event { events: 0, u64: 0 }; 256],
                done: Vec::new(),
            }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn submit(&mut self, slot: usize, op: Op, wanted: Wanted) {
        while self.all.len() <= slot {
            let [receive, send] = [(); 2].map(|()| Direction {
                ready: false,
                waiting: None,
            });
            self.all.push(Socket {
                fd: -1,
                receive,
                send,
            });
        }
        let socket = &mut self.all[slot];
        match wanted {
            Wanted::Connect(to) => match connect(self.epoll, slot, &to) {
                Ok(fd) => {
                    socket.fd = fd;
                    (socket.receive.ready, socket.send.ready) = (false, false);
                    socket.send.waiting = Some((op, wanted));
                }
                Err(error) => self.done.push((op, Err(error))),
            },
            Wanted::Receive(..) => {
                socket.receive.waiting = Some((op, wanted));
                advance(socket.fd, &mut socket.receive, &mut self.done);
            }
            Wanted::Send(..) => {
                socket.send.waiting = Some((op, wanted));
                advance(socket.fd, &mut socket.send, &mut self.done);
            }
            Wanted::Shutdown => {
                // SAFETY: takes no pointers.
                unsafe { libc::shutdown(socket.fd, libc::SHUT_WR) };
                self.done.push((op, Ok(0)));
            }
            Wanted::Close => {
                // SAFETY: the socket is this struct's own, and not used again.
                unsafe { libc::close(socket.fd) };
                socket.fd = -1;
                self.done.push((op, Ok(0)));
            }
            Wanted::Unknown => self.done.push((op, Err(libc::EOPNOTSUPP))),
        }
    }

    fn cancel(&mut self, id: u64, id_of: impl Fn(&Op) -> u64) {
        for socket in &mut self.all {
            for direction in [&mut socket.receive, &mut socket.send] {
                let found = direction.waiting.take_if(|(op, _)| id_of(op) == id);
                self.done
                    .extend(found.map(|(op, _)| (op, Err(libc::ECANCELED))));
            }
        }
    }

    /// Waits, unless something is done already.
    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let timeout = match deadline {
            _ if !self.done.is_empty() => return Ok(()),
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                left.as_millis() as i32 + i32::from(!left.is_zero())
            }
            None => -1,
        };
        let room = self.events.len() as i32;
        // SAFETY: pointer and count describe the live array.
        let n = unsafe { libc::epoll_wait(self.epoll, self.events.as_mut_ptr(), room, timeout) };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        for event in &self.events[..n as usize] {
            let socket = &mut self.all[event.u64 as usize];
            let bits = event.events as i32;
            let end = libc::EPOLLERR | libc::EPOLLHUP;
            if bits & (libc::EPOLLIN | end) != 0 {
                socket.receive.ready = true;
                advance(socket.fd, &mut socket.receive, &mut self.done);
            }
            if bits & (libc::EPOLLOUT | end) != 0 {
                socket.send.ready = true;
                advance(socket.fd, &mut socket.send, &mut self.done);
            }
        }
        Ok(())
    }
}

impl<Op> Drop for Sockets<Op> {
    fn drop(&mut self) {
        // SAFETY: all of them are this struct's own; -1 is nobody's.
        unsafe {
            for socket in &self.all {
                libc::close(socket.fd);
            }
            libc::close(self.epoll);
        }
    }
}

/// Begins to connect a new socket that is watched from now on.
fn connect(epoll: i32, slot: usize, to: &libc::sockaddr_in) -> Result<i32, i32> {
    let failed = || io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let mut event = libc::epoll_event {
        events: (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32,
        u64: slot as u64,
    };
    let (one, length) = (1_i32, size_of::<i32>() as u32);
    // SAFETY: everything pointed to is live and as long as is said.
    unsafe {
        let fd = libc::socket(libc::AF_INET, kind, 0);
        if fd < 0 {
            return Err(failed());
        }
        let no_delay = (&raw const one).cast();
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, no_delay, length);
        let length = size_of::<libc::sockaddr_in>() as u32;
        let status = libc::connect(fd, (&raw const *to).cast(), length);
        if status != 0 && failed() != libc::EINPROGRESS {
            let error = failed();
            libc::close(fd);
            return Err(error);
        }
        libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event);
        Ok(fd)
    }
}

/// Does what waits in a direction that may be ready.
fn advance<Op>(fd: i32, direction: &mut Direction<Op>, done: &mut Vec<(Op, Result<usize, i32>)>) {
    if !direction.ready {
        return;
    }
    let Some((op, wanted)) = direction.waiting.take() else {
        return;
    };
    match attempt(fd, &wanted) {
        Err(libc::EAGAIN) => {
            direction.ready = false;
            direction.waiting = Some((op, wanted));
        }
        result => {
            // Less than there was room for: there is no more, and an edge will tell when there is.
            if let (Ok(n), Wanted::Receive(_, room)) = (result, wanted) {
                direction.ready = n == 0 || n == room;
            }
            done.push((op, result));
        }
    }
}

fn attempt(fd: i32, wanted: &Wanted) -> Result<usize, i32> {
    // SAFETY: memory of an operation is valid until it is completed, and all else is live.
    let n = unsafe {
        match wanted {
            Wanted::Receive(start, room) => libc::recv(fd, start.cast(), *room, 0),
            Wanted::Send(pieces, count) => {
                let mut message: libc::msghdr = core::mem::zeroed();
                message.msg_iov = pieces.cast_mut();
                message.msg_iovlen = *count;
                libc::sendmsg(fd, &raw const message, libc::MSG_NOSIGNAL)
            }
            _ => {
                let (mut error, mut length) = (0_i32, size_of::<i32>() as u32);
                let place = (&raw mut error).cast();
                libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, place, &raw mut length);
                return match error {
                    0 => Ok(0),
                    _ => Err(error),
                };
            }
        }
    };
    usize::try_from(n).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(0))
}
