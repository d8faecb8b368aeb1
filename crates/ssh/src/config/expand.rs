//! `~` and `%` tokens in names of hosts and files (ssh_config(5), TOKENS).

/// What tokens stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'a> {
    /// `%d` and `~`.
    pub(super) home: &'a str,
    /// `%h`, and `%k`.
    pub(super) host: &'a str,
    /// `%n`.
    pub(super) original: &'a str,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`.
    pub(super) user: &'a str,
    /// `%u`.
    pub(super) local_user: &'a str,
}

impl Tokens<'_> {
    /// A file's name with all tokens replaced.
    pub(super) fn file(&self, text: &str) -> Result<String, String> {
        if text.contains("${") {
            return Err(format!(
                "{text:?}: variables of the environment are not replaced"
            ));
        }
        let (start, rest) = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => (self.home, rest),
            Some(_) => {
                return Err(format!(
                    "{text:?}: the home folders of others are not known"
                ));
            }
            None => ("", text),
        };
        let expanded = expand(rest, |token| match token {
            'd' => Some(self.home.to_owned()),
            'h' | 'k' => Some(self.host.to_owned()),
            'n' => Some(self.original.to_owned()),
            'p' => Some(self.port.to_string()),
            'r' => Some(self.user.to_owned()),
            'u' => Some(self.local_user.to_owned()),
            _ => None,
        })?;
        Ok(format!("{start}{expanded}"))
    }
}

/// A host's name, where only `%h` is known.
pub(super) fn host_name(text: &str, original: &str) -> Result<String, String> {
    expand(text, |token| (token == 'h').then(|| original.to_owned()))
}

fn expand(text: &str, value: impl Fn(char) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some(token) => match value(token) {
                Some(value) => out.push_str(&value),
                None => return Err(format!("{text:?}: %{token} is not known here")),
            },
            None => return Err(format!("{text:?} ends with a single %")),
        }
    }
    Ok(out)
}
