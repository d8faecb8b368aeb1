//! What one HTTP/1.1 exchange allows, as values with stated defaults.

/// Bounds and choices of an [`Http1`](crate::Http1) exchange.
///
/// ```
/// let mut config = sockless_http::Http1Config::default();
/// config.decode = true;
/// config.max_body = Some(10 << 20);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Http1Config {
    /// Bytes of one head, and of one trailer section. Default 256 KiB.
    pub max_head_bytes: usize,
    /// Fields of one head, and of one trailer section. Default 512.
    pub max_fields: usize,
    /// Interim (1xx) answers before the final one. Default 16.
    pub max_interim: usize,
    /// Bytes of body delivered to the application, after decoding; `None`: no
    /// bound. Default none.
    pub max_body: Option<u64>,
    /// Whether content codings (RFC 9110 section 8.4) are taken off the body. The
    /// request should say so: `Accept-Encoding` with
    /// [`accept_encoding`](crate::accept_encoding). Default no.
    pub decode: bool,
    /// How many times larger than its encoded form a body may get. It is looked at
    /// once a coding has given more than 1 MiB; deflate itself cannot pass 1032.
    /// Default 200: real text and logs stay below 50, bombs are above 1000.
    pub max_decode_ratio: u32,
    /// Whether an answer that is not HTTP/1 is taken for the body of an HTTP/0.9
    /// answer instead of a [`WrongProtocol`](sockless_core::Reason::WrongProtocol)
    /// error. Default no.
    pub allow_http09: bool,
}

impl Default for Http1Config {
    fn default() -> Self {
        Self {
            max_head_bytes: 256 * 1024,
            max_fields: 512,
            max_interim: 16,
            max_body: None,
            decode: false,
            max_decode_ratio: 200,
            allow_http09: false,
        }
    }
}
