//! Questions that a person answers, at the terminal.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use sockless::{Answer, Ask, PeerKey, Prompts, Question};
use zeroize::Zeroizing;

/// The longest line that is taken.
const LONGEST: usize = 4096;

/// Asks the person at the terminal; without one there is no answer.
pub(crate) fn at_terminal(question: &Question) -> Answer {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let answered = terminal.and_then(|terminal| match &question.ask {
        Ask::PeerKey(key) => confirmed(&terminal, key),
        Ask::Prompts(prompts) => typed(&terminal, prompts),
        other => Ok(Answer::None(format!("nobody here can answer {other:?}"))),
    });
    answered.unwrap_or_else(|error| Answer::None(format!("nobody could be asked: {error}")))
}

/// OpenSSH's question.
fn confirmed(mut terminal: &File, key: &PeerKey) -> io::Result<Answer> {
    write!(
        terminal,
        "The authenticity of host '{}' (port {}) cannot be established.\n\
         {} key fingerprint is {}\n(MD5 {}).\n\
         Are you sure that you want to go on (yes/no/[fingerprint])? ",
        shown(&key.host),
        key.port,
        shown(&key.algorithm),
        key.sha256,
        key.md5
    )?;
    loop {
        let line = line(terminal, true)?;
        match line.trim() {
            "yes" => return Ok(Answer::Yes),
            "no" => return Ok(Answer::No),
            typed if typed == key.sha256 => return Ok(Answer::Yes),
            _ => write!(terminal, "Please type 'yes', 'no' or the fingerprint: ")?,
        }
    }
}

fn typed(mut terminal: &File, prompts: &Prompts) -> io::Result<Answer> {
    for text in [&prompts.name, &prompts.instruction] {
        if !text.is_empty() {
            writeln!(terminal, "{}", shown(text))?;
        }
    }
    let ask = |prompt: &sockless::Prompt| {
        write!(&*terminal, "{}", shown(&prompt.text))?;
        line(terminal, prompt.echo)
    };
    let lines: io::Result<Vec<_>> = prompts.prompts.iter().map(ask).collect();
    Ok(Answer::Texts(lines?))
}

/// Text of the peer's: it must not command the terminal.
pub(crate) fn shown(text: &str) -> String {
    let safe = |c: char| c == '\n' || !c.is_control();
    text.chars()
        .map(|c| if safe(c) { c } else { '\u{fffd}' })
        .collect()
}

fn line(mut terminal: &File, echo: bool) -> io::Result<Zeroizing<String>> {
    let silence = (!echo).then(|| Silence::new(terminal)).transpose()?;
    // Byte by byte, so that no other buffer has the line; and it never has to grow.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    while line.len() < LONGEST {
        match terminal.read(&mut *byte) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if silence.is_some() {
        writeln!(terminal)?;
    }
    let text =
        core::str::from_utf8(&line).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Zeroizing::new(text.trim_end_matches('\r').to_owned()))
}

/// As long as it lives, what is typed is not shown.
struct Silence {
    terminal: OwnedFd,
    before: Termios,
}

impl Silence {
    fn new(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing either.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn prompts_cannot_command_the_terminal() {
        assert_eq!(
            super::shown("Pass\u{1b}[2Jword:\u{7} \n"),
            "Pass\u{fffd}[2Jword:\u{fffd} \n"
        );
    }
}
