//! A client as a tower service.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use sockless_core::Error;

use crate::request::Body;
use crate::{Client, Incoming, Request};

type Configure = dyn Fn(Request) -> Request + Send + Sync;

/// A [`Client`] as a `tower::Service`: `http::Request` in, `http::Response` out; its body
/// is a stream with back-pressure. Cheap to clone.
///
/// Bodies of requests lie in memory; those that have to be asked for are
/// [`Client::upload`]'s. It is always ready: the session's limits let requests wait.
/// Dropping a call's future, or its answer, ends the transfer.
#[derive(Clone)]
pub struct Service {
    client: Client,
    configure: Arc<Configure>,
}

impl Client {
    /// The client as a service. Whatever `http::Request` has no word for, proxies and
    /// timeouts for example, `configure` sets on each request.
    ///
    /// ```
    /// # async fn example(client: sockless::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use tower_service::Service;
    ///
    /// let mut service = client.service(|request| {
    ///     request.timeouts(|timeouts| timeouts.total = Some(Duration::from_secs(60)))
    /// });
    /// let request = http::Request::get("https://example.com/").body(sockless::Body::Empty)?;
    /// let answer = service.call(request).await?;
    /// println!("{}", answer.status());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn service(
        self,
        configure: impl Fn(Request) -> Request + Send + Sync + 'static,
    ) -> Service {
        Service {
            client: self,
            configure: Arc::new(configure),
        }
    }
}

impl tower_service::Service<::http::Request<Body>> for Service {
    type Response = ::http::Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ::http::Request<Body>) -> Self::Future {
        let client = self.client.clone();
        let request = Request::try_from(request).map(|request| (self.configure)(request));
        Box::pin(async move { client.send(request?).await?.try_into() })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
