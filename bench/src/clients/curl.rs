//! libcurl's multi interface, driven by its socket callbacks and epoll: its best way for
//! many connections.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use curl::easy::{Auth, Easy2, Handler, IpResolve, WriteError};
use curl::multi::{Easy2Handle, Events, Multi, SocketEvents};

use super::paced::Pace;
use super::{Task, unknown};
use crate::measure::{self, Figures};

const BATCH: usize = 250;
/// As it is built here, libcurl looks at a new socket with select(2), and refuses to
/// connect with a descriptor that this cannot hold: 1024 and above.
const MOST: usize = 750;

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    curl::init();
    match work {
        "download" => measure::timed(|| Client::new(task)?.requests(task, 1, false)),
        "small" => measure::timed(|| Client::new(task)?.requests(task, task.count, false)),
        "handshakes" => measure::timed(|| Client::new(task)?.requests(task, task.count, true)),
        "idle" => idle(task),
        "alone" | "beside" => paced(task, work == "beside"),
        _ => Err(unknown(work)),
    }
}

/// Counts what comes.
#[derive(Default)]
struct Sink(u64);

impl Handler for Sink {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.0 += data.len() as u64;
        Ok(data.len())
    }
}

struct Client {
    multi: Multi,
    epoll: Arc<OwnedFd>,
    timer: Arc<Mutex<Option<Instant>>>,
}

impl Client {
    fn new(task: &Task) -> io::Result<Self> {
        // SAFETY: takes no pointers.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a fresh descriptor that nobody else knows.
        let epoll = Arc::new(unsafe { OwnedFd::from_raw_fd(raw) });
        let timer = Arc::new(Mutex::new(None));
        let mut multi = Multi::new();
        multi
            .set_max_connects(task.connections.max(1))
            .map_err(io::Error::other)?;
        let (epoll_of_callback, mut known) = (Arc::clone(&epoll), Vec::new());
        multi
            .socket_function(move |socket, events, _| {
                watch(&epoll_of_callback, &mut known, socket, &events);
            })
            .map_err(io::Error::other)?;
        let timer_of_callback = Arc::clone(&timer);
        multi
            .timer_function(move |after: Option<Duration>| {
                set(
                    &timer_of_callback,
                    after.map(|after| Instant::now() + after),
                );
                true
            })
            .map_err(io::Error::other)?;
        Ok(Self {
            multi,
            epoll,
            timer,
        })
    }

    /// The same as the library's clients do.
    fn requests(&self, task: &Task, count: usize, fresh: bool) -> io::Result<()> {
        let first = count.min(task.connections.max(1));
        let mut left = count - first;
        let mut handles: Vec<Option<Easy2Handle<Sink>>> = Vec::new();
        for token in 0..first {
            let easy = easy(task, fresh)?;
            handles.push(Some(self.add(easy, token)?));
        }
        let mut busy = first;
        let mut bytes = 0;
        while busy > 0 {
            for token in self.turn(None)? {
                let Some(handle) = handles[token].take() else {
                    continue;
                };
                let easy = self.multi.remove2(handle).map_err(io::Error::other)?;
                bytes = bytes.max(easy.get_ref().0);
                if left > 0 {
                    left -= 1;
                    handles[token] = Some(self.add(easy, token)?);
                } else {
                    busy -= 1;
                }
            }
        }
        if bytes == 0 {
            return Err(io::Error::other("no byte of body came"));
        }
        Ok(())
    }

    fn add(&self, easy: Easy2<Sink>, token: usize) -> io::Result<Easy2Handle<Sink>> {
        let mut handle = self.multi.add2(easy).map_err(io::Error::other)?;
        handle.set_token(token).map_err(io::Error::other)?;
        Ok(handle)
    }

    /// Waits, no longer than until that time, lets libcurl work, and gives the tokens of what has ended.
    fn turn(&self, until: Option<Instant>) -> io::Result<Vec<usize>> {
        let due = *self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = match due.into_iter().chain(until).min() {
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                left.as_millis() as libc::c_int + libc::c_int::from(!left.is_zero())
            }
            None => -1,
        };
        let mut ready = [libc::epoll_event { events: 0, u64: 0 }; 256];
        // SAFETY: pointer and count describe the live array.
        let n =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), ready.as_mut_ptr(), 256, timeout) };
        for event in ready.iter().take(usize::try_from(n).unwrap_or(0)) {
            let (bits, fd) = (event.events, event.u64 as RawFd);
            let mut events = Events::new();
            events.input(bits & (libc::EPOLLIN | libc::EPOLLHUP) as u32 != 0);
            events.output(bits & libc::EPOLLOUT as u32 != 0);
            events.error(bits & libc::EPOLLERR as u32 != 0);
            self.multi.action(fd, &events).map_err(io::Error::other)?;
        }
        let due = *self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        if due.is_some_and(|at| at <= Instant::now()) {
            set(&self.timer, None);
            self.multi.timeout().map_err(io::Error::other)?;
        }
        let (mut ended, mut failure) = (Vec::new(), None);
        self.multi.messages(|message| {
            if let Some(Err(error)) = message.result() {
                failure = Some(error);
            }
            ended.extend(message.token());
        });
        failure.map_or(Ok(ended), |error| Err(io::Error::other(error)))
    }
}

fn set(timer: &Mutex<Option<Instant>>, at: Option<Instant>) {
    *timer.lock().unwrap_or_else(PoisonError::into_inner) = at;
}

/// What libcurl wants to know of a socket, as epoll takes it.
fn watch(epoll: &OwnedFd, known: &mut Vec<bool>, socket: RawFd, wanted: &SocketEvents) {
    let at = socket as usize;
    if known.len() <= at {
        known.resize(at + 1, false);
    }
    let mut events = 0;
    if wanted.input() || wanted.input_and_output() {
        events |= libc::EPOLLIN;
    }
    if wanted.output() || wanted.input_and_output() {
        events |= libc::EPOLLOUT;
    }
    let verb = match (wanted.remove(), known[at]) {
        (true, _) => libc::EPOLL_CTL_DEL,
        (false, true) => libc::EPOLL_CTL_MOD,
        (false, false) => libc::EPOLL_CTL_ADD,
    };
    known[at] = !wanted.remove();
    let mut event = libc::epoll_event {
        events: events as u32,
        u64: socket as u64,
    };
    // SAFETY: the event is live.
    unsafe { libc::epoll_ctl(epoll.as_raw_fd(), verb, socket, &raw mut event) };
}

fn easy(task: &Task, fresh: bool) -> io::Result<Easy2<Sink>> {
    let mut easy = Easy2::new(Sink::default());
    let settings = |easy: &mut Easy2<Sink>| {
        easy.url(&task.url)?;
        easy.useragent("bench")?;
        easy.forbid_reuse(fresh)?;
        if task.is_tls() {
            easy.cainfo(&task.ca)?;
            easy.ssl_sessionid_cache(!fresh)?;
        }
        if !task.proxy.is_empty() {
            easy.proxy(&task.proxy)?;
            easy.proxy_cainfo(&task.proxy_ca.display().to_string())?;
        }
        if task.buffer > 0 {
            easy.buffer_size(task.buffer)?;
        }
        if task.has_tickets() {
            easy.http_auth(Auth::new().gssnegotiate(true))?;
            // Nobody's name: whoever the tickets are of.
            easy.username("")?;
            easy.password("")?;
            easy.ip_resolve(IpResolve::V4)?;
        }
        Ok::<(), curl::Error>(())
    };
    settings(&mut easy).map_err(io::Error::other)?;
    Ok(easy)
}

/// Plain transfers at a steady pace; if so wanted, one with a ticket that is still to be fetched beside them.
fn paced(task: &Task, beside: bool) -> io::Result<Figures> {
    let plain = Task {
        url: task.beside.clone(),
        ccache: PathBuf::new(),
        ..task.clone()
    };
    let client = Client::new(task)?;
    let mut pace = Pace::new(Instant::now());
    let (mut handles, mut busy) = (Vec::new(), 0);
    let start = |task: &Task, handles: &mut Vec<_>| {
        handles.push(Some(client.add(easy(task, false)?, handles.len())?));
        Ok::<(), io::Error>(())
    };
    if beside {
        start(task, &mut handles)?;
        busy += 1;
    }
    let first = handles.len();
    loop {
        while pace.next(Instant::now()) {
            start(&plain, &mut handles)?;
            busy += 1;
        }
        if busy == 0 && pace.due().is_none() {
            return pace.figures();
        }
        for token in client.turn(pace.due())? {
            let Some(handle) = handles[token].take() else {
                continue;
            };
            let easy = client.multi.remove2(handle).map_err(io::Error::other)?;
            let code = easy.response_code().map_err(io::Error::other)?;
            pace.ended(Instant::now(), token.checked_sub(first), code)?;
            busy -= 1;
        }
    }
}

/// Memory that a kept connection takes: by the slope between a few of them and all.
fn idle(task: &Task) -> io::Result<Figures> {
    let client = Client::new(task)?;
    let open = || {
        let batch = Task {
            connections: BATCH,
            ..task.clone()
        };
        let mut handles = Vec::new();
        for token in 0..BATCH {
            let mut one = easy(&batch, false)?;
            one.fresh_connect(true).map_err(io::Error::other)?;
            handles.push(Some(client.add(one, token)?));
        }
        let mut busy = BATCH;
        while busy > 0 {
            for token in client.turn(None)? {
                if let Some(handle) = handles[token].take() {
                    client.multi.remove2(handle).map_err(io::Error::other)?;
                    busy -= 1;
                }
            }
        }
        Ok::<(), io::Error>(())
    };
    open()?;
    let (live, resident) = (measure::live_bytes(), measure::resident_bytes());
    let wanted = task.connections.min(MOST);
    let more = wanted.saturating_sub(BATCH).div_ceil(BATCH);
    for _ in 0..more {
        open()?;
    }
    let more = (more * BATCH) as f64;
    let mut figures = Figures::new();
    figures.insert("live".to_owned(), (measure::live_bytes() - live) / more);
    figures.insert(
        "resident".to_owned(),
        (measure::resident_bytes() - resident) / more,
    );
    Ok(figures)
}
