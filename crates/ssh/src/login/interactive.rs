//! What only a person knows.

use sockless_core::{Answer, Ask, Cx, Prompt, Prompts, QuestionId};
use zeroize::Zeroizing;

use crate::LAYER;

/// A question on its way to the application.
pub(super) struct Asking {
    question: QuestionId,
    lines: usize,
    password: bool,
}

/// What was typed.
pub(super) enum Lines {
    /// For the peer's prompts.
    Answers(Vec<Zeroizing<String>>),
    /// For the method `password`.
    Password(Zeroizing<String>),
    /// Nothing.
    None,
}

impl Asking {
    /// Asks for the user's password; `None`: nobody is there to ask.
    pub(super) fn password(user: &str, host: &str, cx: &mut Cx<'_>) -> Option<Self> {
        let prompts = Prompts {
            user: user.to_owned(),
            prompts: vec![Prompt {
                text: format!("{user}@{host}'s password: "),
                echo: false,
            }],
            ..Prompts::default()
        };
        let question = cx.ask(LAYER, Ask::Prompts(Box::new(prompts)))?;
        Some(Self {
            question,
            lines: 1,
            password: true,
        })
    }

    /// Asks what the peer wants to know; `None`: nobody is there to ask.
    pub(super) fn answers(prompts: Prompts, allowed: bool, cx: &mut Cx<'_>) -> Option<Self> {
        let lines = prompts.prompts.len();
        let asked = allowed.then(|| cx.ask(LAYER, Ask::Prompts(Box::new(prompts))));
        Some(Self {
            question: asked.flatten()?,
            lines,
            password: false,
        })
    }

    /// What was typed, or the question again if nobody has answered yet.
    pub(super) fn answer(self, cx: &mut Cx<'_>) -> Result<Lines, Self> {
        let Some(answer) = cx.answer(self.question) else {
            return Err(self);
        };
        let Answer::Texts(mut lines) = answer else {
            return Ok(Lines::None);
        };
        // One for each prompt, whatever the application thought.
        lines.resize(self.lines, Zeroizing::default());
        Ok(match self.password {
            true => Lines::Password(lines.pop().unwrap_or_default()),
            false => Lines::Answers(lines),
        })
    }
}
