//! Proxies of a few lines: each lets its clients through to loopback, or says why not.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A proxy on loopback, and what its clients asked of it.
pub(crate) struct Way {
    port: u16,
    asked: Receiver<String>,
}

impl Way {
    /// An HTTP proxy that answers each head as the closure says: `Ok` opens the tunnel.
    pub(crate) fn connect(
        answer: impl Fn(&str) -> Result<(), String> + Clone + Send + 'static,
    ) -> Self {
        Self::new(move |mut client, tell| {
            loop {
                let head = head(&mut client)?;
                let _ = tell.send(head.clone());
                let Err(refusal) = answer(&head) else {
                    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
                    let to = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    return Ok((client, to));
                };
                client.write_all(refusal.as_bytes())?;
            }
        })
    }

    /// A SOCKS5 proxy (RFC 1928); with a login it wants that one (RFC 1929).
    pub(crate) fn socks5(login: Option<(&'static str, &'static str)>) -> Self {
        Self::new(move |mut client, tell| {
            let [_, count] = exactly(&mut client)?;
            let mut methods = vec![0; count.into()];
            client.read_exact(&mut methods)?;
            client.write_all(&[5, if login.is_some() { 2 } else { 0 }])?;
            if let Some(login) = login {
                exactly::<1>(&mut client)?;
                let given = (text(&mut client)?, text(&mut client)?);
                let fits = (given.0.as_str(), given.1.as_str()) == login;
                client.write_all(&[1, u8::from(!fits)])?;
            }
            let [_, _, _, kind] = exactly(&mut client)?;
            let host = match kind {
                1 => SocketAddr::from((exactly::<4>(&mut client)?, 0))
                    .ip()
                    .to_string(),
                _ => text(&mut client)?,
            };
            let port = u16::from_be_bytes(exactly(&mut client)?);
            let to = format!("{host}:{port}");
            let _ = tell.send(to.clone());
            let code = if host == "forbidden.example" { 2 } else { 0 };
            client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0])?;
            Ok((client, to))
        })
    }

    fn new(
        open: impl Fn(TcpStream, &Sender<String>) -> io::Result<(TcpStream, String)>
        + Clone
        + Send
        + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, asked) = channel();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (open, tell) = (open.clone(), tell.clone());
                thread::spawn(move || {
                    // A client that has left has said so to its test.
                    if let Ok((client, to)) = open(client, &tell) {
                        let _ = relay(&client, &to);
                    }
                });
            }
        });
        Self { port, asked }
    }

    /// As options name it, after the scheme.
    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The next thing that was asked of it: a head, or a destination.
    pub(crate) fn asked(&self) -> String {
        self.asked.recv().expect("a client asked")
    }
}

/// Joins both, to loopback under whatever name.
fn relay(client: &TcpStream, to: &str) -> io::Result<()> {
    let port = to.rsplit(':').next().and_then(|port| port.parse().ok());
    let server = TcpStream::connect(("127.0.0.1", port.unwrap_or(0)))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    let _ = io::copy(&mut from_server, &mut to_client);
    client.shutdown(Shutdown::Write)
}

fn head(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(exactly::<1>(client)?);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

fn exactly<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A length and that many bytes.
fn text(client: &mut TcpStream) -> io::Result<String> {
    let [length] = exactly(client)?;
    let mut bytes = vec![0; length.into()];
    client.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
