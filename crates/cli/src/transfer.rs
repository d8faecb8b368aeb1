//! One transfer: what its events do to files, records and the other side.

use std::time::{Duration, Instant};

use sockless::core::Entry;
use sockless::{Event, Head, Reason, Session, Summary, TransferId};

use crate::ask;
use crate::console::Console;
use crate::job::{Job, What};
use crate::output::Output;
use crate::report::{Failure, code};
use crate::source::Source;
use crate::write_out::Record;

/// Body bytes of an answer nobody wants that are read for the connection's sake.
const READ_ANYWAY: u64 = 64 * 1024;

/// The longest pause between two attempts that doubling leads to.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Statuses that pass (curl's list).
const TRANSIENT: [u16; 8] = [408, 429, 500, 502, 503, 504, 522, 524];

/// A job that is being carried out.
pub(crate) struct Transfer {
    pub(crate) job: Job,
    pub(crate) record: Record,
    output: Output,
    source: Option<Source>,
    offset: u64,
    /// Our own reason to end it; it says more than the cancel that follows.
    failure: Option<Failure>,
    /// The body is nobody's: an error page with `-f`, an attempt that will be repeated.
    discards: bool,
    /// Everything is there already: that the rest is not read is no failure.
    satisfied: bool,
    retries_left: u32,
    /// Below HTTP, bottom first; known only where notes are wanted.
    layers: Vec<&'static str>,
    /// A folder that is downloaded into.
    #[cfg(feature = "ssh")]
    planting: Option<crate::ssh::Planting>,
}

impl Transfer {
    /// # Errors
    /// An offset that is none.
    pub(crate) fn new(job: Job) -> Result<Self, Failure> {
        let offset = job.offset()?;
        let mut output = Output::new(job.place.clone(), job.args.output.create_dirs);
        if job.continues_download(offset) {
            output.keep(offset);
        }
        let record = fresh_record(&job);
        #[cfg(feature = "ssh")]
        let planting = job.folder()?.map(crate::ssh::Planting::new);
        let retries_left = job.args.connection.retry;
        Ok(Self {
            job,
            record,
            output,
            source: None,
            offset,
            failure: None,
            discards: false,
            satisfied: false,
            retries_left,
            layers: Vec::new(),
            #[cfg(feature = "ssh")]
            planting,
        })
    }

    /// Starts an attempt.
    ///
    /// # Errors
    /// The request cannot be made, or its body not be read.
    pub(crate) fn start(
        &mut self,
        session: &mut Session,
        now: Instant,
        console: &Console,
    ) -> Result<TransferId, Failure> {
        let format = self.job.args.output.write_out.as_deref();
        // The only place where a proxy's answer shows.
        let asked = format.is_some_and(|format| format.contains("http_connect"));
        let notes = asked || console.tracer.is_on();
        let attempt = self.job.attempt(self.offset, notes)?;
        self.source = attempt.source;
        let started = match attempt.what {
            What::Http(request) => session.start(now, *request),
            #[cfg(feature = "ssh")]
            What::Ssh(errand) => session.ssh(errand.to, errand.client, errand.exchange),
        };
        started.map_err(|error| Failure::of(&error))
    }

    /// Takes an event in.
    ///
    /// # Errors
    /// Why the transfer should end now; what it comes to is remembered in [`Transfer::give_up`].
    pub(crate) fn on(
        &mut self,
        session: &mut Session,
        id: TransferId,
        event: Event,
        console: &mut Console,
    ) -> Result<(), Failure> {
        match event {
            Event::Interim(head) => self.show(head.fields.raw(), console),
            Event::Redirect { head, location } => {
                console.tracer.info(&format!("Going on to {location}"));
                self.note_head(&head);
                self.record.effective_url = location;
                self.show(head.fields.raw(), console)
            }
            Event::Challenged { head } => {
                console.tracer.info("Sending it again with credentials");
                self.note_head(&head);
                self.show(head.fields.raw(), console)
            }
            Event::Head(head) => self.head(session, id, &head, console),
            Event::Data(piece) => {
                console.progress.add(piece.len() as u64);
                #[cfg(feature = "ssh")]
                if let Some(planting) = &mut self.planting {
                    return planting.data(&piece);
                }
                if self.discards {
                    Ok(())
                } else {
                    self.output.write(&piece)
                }
            }
            Event::Trailers(fields) => self.show(fields.raw(), console),
            Event::WantBody { .. } => self.feed(session, id, console),
            Event::Asked(question) => {
                let answer = ask::at_terminal(&question);
                // A transfer that has ended meanwhile says so itself.
                let _ = session.answer(id, question.id, answer);
                Ok(())
            }
            Event::Entry(entry) => self.entry(&entry, console),
            Event::ResumeAt(offset) => match &mut self.source {
                Some(source) => source.skip(offset),
                None => Ok(()),
            },
            Event::RewindBody => self.source.as_mut().map_or(Ok(()), Source::rewind),
            Event::Note(note) => {
                // Later it may have left its connection already.
                if self.layers.is_empty() {
                    self.layers = session.layers(id);
                }
                self.record.connect.see(&note);
                console.tracer.note(&note);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The file is there, and its bytes follow.
    fn entry(&mut self, entry: &Entry, console: &mut Console) -> Result<(), Failure> {
        #[cfg(feature = "ssh")]
        if let Some(planting) = &mut self.planting {
            return planting.entry(entry);
        }
        let left = entry
            .attributes
            .size
            .map(|size| size.saturating_sub(self.offset));
        console.progress.expect(left);
        self.output.open()
    }

    /// Remembers why it was ended from here.
    pub(crate) fn give_up(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    fn head(
        &mut self,
        session: &mut Session,
        id: TransferId,
        head: &Head,
        console: &mut Console,
    ) -> Result<(), Failure> {
        if console.tracer.is_on() {
            let layers = self.layers.iter().rev();
            let above: String = layers.map(|layer| format!("{layer} / ")).collect();
            console
                .tracer
                .info(&format!("Stack: http / {above}{}", console.driver));
        }
        self.note_head(head);
        if !self.repeats_status() {
            self.show(head.fields.raw(), console)?;
        }
        console.progress.expect(head.body_length);
        self.judge(head);
        if self.discards {
            let short = head.body_length.is_some_and(|length| length <= READ_ANYWAY);
            if !short {
                session.cancel(id);
            }
            return Ok(());
        }
        self.output.open()
    }

    /// Decides what the status means for the output.
    fn judge(&mut self, head: &Head) {
        let status = head.code;
        let (fail, with_body) = (
            self.job.args.output.fail,
            self.job.args.output.fail_with_body,
        );
        let continues = self.job.continues_download(self.offset);
        // Nothing is missing: that is no error, with -f neither.
        let beyond = status == 416 && continues;
        if status >= 400 && (fail || with_body) && !beyond {
            let reason = String::from_utf8_lossy(head.reason());
            let what = format!("the server answered {status} {reason}");
            self.give_up(Failure::new(code::HTTP_STATUS, what.trim_end()));
            self.discards = fail;
        }
        self.discards |= self.repeats_status();
        if continues && self.failure.is_none() {
            let range = head.fields.first("content-range");
            let range = range.map(String::from_utf8_lossy).unwrap_or_default();
            self.judge_continued(status, &range, head.body_length);
        }
    }

    fn judge_continued(&mut self, status: u16, range: &str, length: Option<u64>) {
        let offset = self.offset;
        let range = range.trim_start_matches("bytes").trim_start();
        let starts = range.split('-').next().and_then(|first| first.parse().ok());
        let whole = range
            .strip_prefix("*/")
            .and_then(|whole| whole.parse().ok());
        let why = match status {
            206 if starts == Some(offset) => return,
            // Everything is there already; where 416 says nothing of the length, its word
            // is taken for that, as curl does.
            416 if range.is_empty() || whole == Some(offset) => {
                (self.discards, self.satisfied) = (true, true);
                return;
            }
            200 if length == Some(offset) => {
                (self.discards, self.satisfied) = (true, true);
                return;
            }
            416 => {
                format!("what is there is longer than the server's file: Content-Range {range:?}")
            }
            206 => format!("the server continues at another place: Content-Range {range:?}"),
            200 => "the server sends everything from the beginning".to_owned(),
            other => format!("the server answered {other} when asked to continue at {offset}"),
        };
        self.discards = true;
        let what = format!("http: {why}; transfer without -C, or remove what is there");
        self.give_up(Failure::new(code::RANGE, what));
    }

    /// Whether the status will lead to another attempt: then its body is not shown.
    fn repeats_status(&self) -> bool {
        self.retries_left > 0 && TRANSIENT.contains(&self.record.status)
    }

    fn note_head(&mut self, head: &Head) {
        self.record.status = head.code;
        self.record.version = head.version;
        self.record.head_bytes += head.fields.raw().len() as u64;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.record.fields = head
            .fields
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
    }

    /// Writes head bytes where `-i`, `-I` and `-D` want them.
    fn show(&mut self, raw: &[u8], console: &mut Console) -> Result<(), Failure> {
        let args = &self.job.args;
        if let Some(path) = &args.output.dump_header {
            console.dumps.write(path, raw)?;
        }
        if args.output.include || args.request.head {
            self.output.write(raw)?;
        }
        Ok(())
    }

    fn feed(
        &mut self,
        session: &mut Session,
        id: TransferId,
        console: &Console,
    ) -> Result<(), Failure> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        match source.next(session.pool())? {
            Some(piece) => {
                console.progress.add(piece.len() as u64);
                session
                    .send_body(id, piece)
                    .map_err(|(error, _)| Failure::of(&error))
            }
            None => session.finish_body(id).map_err(|error| Failure::of(&error)),
        }
    }

    /// The end: what it comes to, and what is left of it.
    pub(crate) fn end(
        &mut self,
        outcome: Result<(), sockless::Error>,
        summary: Summary,
    ) -> Result<(), Failure> {
        self.record.summary = summary;
        let outcome = outcome.or_else(|error| match error.reason() {
            Reason::Cancelled if self.satisfied => Ok(()),
            _ => Err(error),
        });
        let ended_early = self.ended_in_handshake(&outcome);
        let unresolved = |error: &sockless::Error| error.reason() == Reason::Resolve;
        let unresolved = outcome.as_ref().err().filter(|error| unresolved(error));
        let by_proxy_name = unresolved.is_some_and(|error| self.job.is_proxy_name(error));
        let failure = self.failure.take().or_else(|| {
            let mut failure = outcome.err().as_ref().map(Failure::of)?;
            if ended_early {
                failure.code = code::HANDSHAKE;
            }
            if by_proxy_name {
                failure.code = code::PROXY_NAME;
            }
            Some(failure)
        });
        match failure {
            None => Ok(()),
            Some(mut failure) => {
                if self.job.args.output.remove_on_error {
                    self.output.remove();
                } else if let Some(remains) = self.output.remains()
                    && failure.code != code::HTTP_STATUS
                {
                    failure.what = format!("{}; {remains}", failure.what);
                }
                Err(failure)
            }
        }
    }

    /// Whether the connection broke before TLS was set up: curl calls that a failed handshake.
    fn ended_in_handshake(&self, outcome: &Result<(), sockless::Error>) -> bool {
        let summary = &self.record.summary;
        let in_handshake = self.record.effective_url.starts_with("https:")
            && summary.connected.is_some()
            && summary.secured.is_none()
            && !summary.reused;
        let broken = |error: &sockless::Error| {
            matches!(
                error.reason(),
                Reason::Receive | Reason::Send | Reason::Truncated
            )
        };
        in_handshake && outcome.as_ref().is_err_and(broken)
    }

    /// Prepares another attempt, if there should be one; says after which pause.
    pub(crate) fn retry(&mut self, result: &Result<(), Failure>) -> Option<Duration> {
        let connection = &self.job.args.connection;
        let passes = match result {
            _ if TRANSIENT.contains(&self.record.status) => true,
            Ok(()) => false,
            Err(failure) => {
                connection.retry_all_errors && failure.code != code::WRITE
                    || failure.code == 28
                    || failure.code == 7 && connection.retry_connrefused
            }
        };
        self.retries_left = self.retries_left.checked_sub(1).filter(|_| passes)?;
        let doubled = Duration::from_secs(1 << self.record.retries.min(10)).min(LONGEST_PAUSE);
        let asked = self
            .record
            .field("retry-after")
            .and_then(|value| value.trim().parse().ok());
        let pause = match (connection.retry_delay, asked) {
            (Some(delay), _) => delay,
            (None, Some(asked)) => Duration::from_secs(asked).min(LONGEST_PAUSE),
            (None, None) => doubled,
        };
        if self.output.rewind().is_err() {
            return None;
        }
        let retries = self.record.retries + 1;
        self.record = Record {
            retries,
            ..fresh_record(&self.job)
        };
        (self.discards, self.satisfied) = (false, false);
        Some(pause)
    }

    /// Attempts that are left.
    pub(crate) fn retries_left(&self) -> u32 {
        self.retries_left
    }
}

fn fresh_record(job: &Job) -> Record {
    let filename = job_file_name(job);
    Record {
        url: job.url.clone(),
        effective_url: job.url.clone(),
        method: job.method.clone(),
        filename,
        number: job.number,
        ..Record::default()
    }
}

fn job_file_name(job: &Job) -> String {
    match &job.place {
        crate::output::Place::File(path) => path.display().to_string(),
        _ => String::new(),
    }
}
