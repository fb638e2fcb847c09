//! `/metrics`, `/healthz` and `/readyz` over HTTP, for whoever watches the server.
//!
//! It has a thread of its own, so that it answers while guests have all the
//! others. It must not take more than so many visitors, nor wait for them.

#![expect(
    clippy::disallowed_methods,
    reason = "whom this listens for was said on the command line, and no guest has a part in it: \
              no policy is asked who may read metrics, and every guest's denies them"
)]

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::{Metrics, MetricsAddress, Stage};
use crate::entry::Entry;
use crate::health::Health;

/// How many visitors there may be at once. The others wait.
const PLACES: u32 = 32;

/// How long a visitor may take, from the first byte of the request to the last of
/// the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a request may be.
const LONGEST: usize = 8192;

/// How long it rests where the host lacks something that it may have again.
const REST: Duration = Duration::from_millis(50);

/// Of OpenMetrics 1.0.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A socket that listens for who watches.
#[derive(Debug)]
pub(crate) struct Endpoint {
    socket: Socket,
    address: MetricsAddress,
    /// Whether another process answers there until this one serves.
    is_shared: bool,
}

#[derive(Debug)]
enum Socket {
    Inet(TcpListener),
    Unix(UnixListener),
}

impl Endpoint {
    /// Listens at an address.
    pub(crate) fn open(address: &MetricsAddress) -> io::Result<Self> {
        let (socket, address) = match address {
            MetricsAddress::Inet(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                // The port is known now, if the system chose it.
                let address = MetricsAddress::Inet(listener.local_addr()?);
                (Socket::Inet(listener), address)
            }
            MetricsAddress::Unix(path) => {
                let listener = bind(path)?;
                listener.set_nonblocking(true)?;
                (Socket::Unix(listener), address.clone())
            }
        };
        Ok(Self {
            socket,
            address,
            is_shared: false,
        })
    }

    /// Listens on with a socket that another process opened at an address.
    pub(crate) fn take_over(address: &MetricsAddress, descriptor: OwnedFd) -> io::Result<Self> {
        let (socket, address) = match address {
            MetricsAddress::Inet(_) => {
                let listener = TcpListener::from(descriptor);
                let address = MetricsAddress::Inet(listener.local_addr()?);
                (Socket::Inet(listener), address)
            }
            MetricsAddress::Unix(_) => (Socket::Unix(descriptor.into()), address.clone()),
        };
        Ok(Self {
            socket,
            address,
            is_shared: true,
        })
    }

    /// The socket once more, for a process that is to take over.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        match &self.socket {
            Socket::Inet(listener) => listener.as_fd().try_clone_to_owned(),
            Socket::Unix(listener) => listener.as_fd().try_clone_to_owned(),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &MetricsAddress {
        &self.address
    }

    /// What is denied to guests so that none comes here.
    pub(crate) fn denies(&self) -> Vec<String> {
        self.address.denies()
    }

    /// Answers whoever comes: from now on, or from when the process does that this one
    /// takes over from no longer; and until the process ends, or another answers.
    pub(crate) fn answer(self, metrics: Metrics, health: Health) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build()?;
        let thread = thread::Builder::new().name("metrics".to_owned());
        thread.spawn(move || {
            runtime.block_on(async {
                if self.is_shared {
                    metrics.reaches(|stage| *stage != Stage::Starting).await;
                }
                let places = Arc::new(Semaphore::new(PLACES as usize));
                tokio::select! {
                    biased;
                    () = metrics.reaches(|stage| *stage == Stage::Replaced) => {}
                    // Without a listener nobody is answered, and the server serves on.
                    _ = self.listen(&metrics, &health, &places) => {}
                }
                // Whoever is here has their answer.
                let _ = places.acquire_many(PLACES).await;
            });
        })?;
        Ok(())
    }

    async fn listen(
        self,
        metrics: &Metrics,
        health: &Health,
        places: &Arc<Semaphore>,
    ) -> io::Result<Infallible> {
        let place = || Arc::clone(places).acquire_owned();
        match self.socket {
            Socket::Inet(listener) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                loop {
                    let place = place().await;
                    let came = listener.accept().await.map(|(visitor, _)| visitor);
                    let_in(came, place.ok(), metrics, health).await;
                }
            }
            Socket::Unix(listener) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                loop {
                    let place = place().await;
                    let came = listener.accept().await.map(|(visitor, _)| visitor);
                    let_in(came, place.ok(), metrics, health).await;
                }
            }
        }
    }
}

/// Binds to a path, also where a process that has ended left its socket there.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let error = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => error,
        bound => return bound,
    };
    match Entry::at(path) {
        Some(entry) if is_deserted(&entry) => {
            entry.remove()?;
            UnixListener::bind(path)
        }
        Some(_) => Err(told(&error, "another process has the socket that is there")),
        None => Err(told(&error, "what is there is no socket, and stays")),
    }
}

/// Whether no process has the socket any more. Then none ever will: to bind is to make
/// another.
fn is_deserted(entry: &Entry) -> bool {
    // The kernel tells a datagram socket that it is of another type than one that is
    // bound and does not listen yet, which would refuse a connection. The other hears
    // nothing of it.
    let asked = UnixDatagram::unbound().and_then(|one| one.connect(entry.through_the_handle()));
    asked.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn told(error: &io::Error, why: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{error}: {why}"))
}

async fn let_in<V>(
    came: io::Result<V>,
    place: Option<OwnedSemaphorePermit>,
    metrics: &Metrics,
    health: &Health,
) where
    V: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match came {
        Ok(visitor) => {
            let (metrics, health) = (metrics.clone(), health.clone());
            tokio::spawn(async move {
                // Whoever does not get to the end has gone, or is to go.
                let _ = timeout(PATIENCE, converse(visitor, metrics, health)).await;
                drop(place);
            });
        }
        Err(_) => sleep(REST).await,
    }
}

async fn converse<V>(visitor: V, metrics: Metrics, health: Health) -> hyper::Result<()>
where
    V: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| {
        let answer = answer(&request, &metrics, &health);
        async { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    // One question each, so that nobody keeps a place who asks nothing; the time
    // is bounded as a whole.
    let http = http.keep_alive(false).header_read_timeout(None);
    let http = http.max_buf_size(LONGEST);
    http.serve_connection(TokioIo::new(visitor), service).await
}

fn answer(
    request: &Request<Incoming>,
    metrics: &Metrics,
    health: &Health,
) -> Response<Full<Bytes>> {
    let is_known = matches!(request.uri().path(), "/metrics" | "/healthz" | "/readyz");
    if !is_known {
        return text(StatusCode::NOT_FOUND, "not found\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allow = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(ALLOW, allow);
        return answer;
    }
    match (request.uri().path(), metrics.stage()) {
        ("/healthz", _) => text(StatusCode::OK, "ok\n"),
        ("/readyz", Stage::Serving) => match health.trouble() {
            None => text(StatusCode::OK, "ready\n"),
            Some(trouble) => {
                let trouble = format!("stuck: {trouble}\n");
                of_type(StatusCode::SERVICE_UNAVAILABLE, TEXT, trouble)
            }
        },
        ("/readyz", Stage::Starting) => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        ("/readyz", Stage::Draining | Stage::Replaced) => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
        _ => match metrics.text() {
            Ok(figures) => of_type(StatusCode::OK, METRICS, figures),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "not to be told\n"),
        },
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    of_type(status, TEXT, text)
}

fn of_type(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
