//! hyper's connections on tokio's current-thread runtime, with tokio-rustls.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{Task, unknown};
use crate::measure::{self, Figures};

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    if !matches!(work, "download" | "small") {
        return Err(unknown(work));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    measure::timed(|| runtime.block_on(tokio::task::LocalSet::new().run_until(requests(task))))
}

/// All requests, each connection a task that takes the next one.
async fn requests(task: &Task) -> io::Result<()> {
    let tls = if task.is_tls() {
        Some(connector(task)?)
    } else {
        None
    };
    let left = Rc::new(Cell::new(task.count.max(1)));
    let connections = (0..task.connections.max(1)).map(|_| {
        let (task, tls, left) = (task.clone(), tls.clone(), Rc::clone(&left));
        tokio::task::spawn_local(async move {
            let address = task.address()?;
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            match tls {
                Some(tls) => {
                    let name = ServerName::from(address.ip());
                    serve(&task, tls.connect(name, socket).await?, &left).await
                }
                None => serve(&task, socket, &left).await,
            }
        })
    });
    for connection in connections.collect::<Vec<_>>() {
        connection.await??;
    }
    Ok(())
}

fn connector(task: &Task) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&task.ca).map_err(io::Error::other)? {
        roots
            .add(certificate.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn serve<S>(task: &Task, stream: S, left: &Cell<usize>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::task::spawn_local(connection);
    let (host, path) = task.place();
    while left.get() > 0 {
        left.set(left.get() - 1);
        let request = hyper::Request::get(path)
            .header("Host", host)
            .header("User-Agent", "bench")
            .header("Accept", "*/*")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        sender.ready().await.map_err(io::Error::other)?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame.map_err(io::Error::other)?;
        }
    }
    Ok(())
}
