//! The server of metrics and health: a thread that accepts, and one for each of a few clients.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Scope};
use std::time::Duration;

use anyhow::Context as _;

use super::http;
use super::metrics::Exposition;

/// Clients served at a time, with all of [`http::PATIENCE`].
const MOST_CLIENTS: usize = 16;

/// Clients served beside them while they take all places, so that whoever is idle keeps nobody from learning of the
/// health. Still others are turned away.
const MOST_OTHERS: usize = 16;

/// How long one of the others may take, from its first byte to the answer's last.
const HASTE: Duration = Duration::from_millis(500);

/// How long to wait after the system could not accept, for want of file descriptors for one.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds the address and serves there. A port of 0 is one that is free.
    pub(super) fn start(address: SocketAddr, exposition: Arc<Exposition>) -> anyhow::Result<Self> {
        let refused = || format!("metrics can't be served on {address}");
        let listener = TcpListener::bind(address).with_context(refused)?;
        let address = listener.local_addr().with_context(refused)?;
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = thread::Builder::new().name("metrics".to_owned());
        let run = move || accept(&listener, &exposition, &told);
        let thread = thread.spawn(run).with_context(refused)?;
        Ok(Self {
            address,
            ends,
            thread: Some(thread),
        })
    }

    /// Where it serves.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // A client of our own wakes the thread that waits for one.
        let woken = TcpStream::connect_timeout(&reachable(self.address), http::PATIENCE);
        let Some(thread) = self.thread.take() else {
            return;
        };
        match woken {
            Ok(_) if thread.join().is_err() => tracing::error!("the server of metrics panicked"),
            Ok(_) => {}
            // It ends with the process.
            Err(error) => tracing::warn!(%error, "the server of metrics is left alone"),
        }
    }
}

/// Where a client of this machine reaches a server that is bound to this address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn accept(listener: &TcpListener, exposition: &Exposition, ends: &AtomicBool) {
    let clients = Clients::default();
    // Whoever is being served when it ends is served to the end, which is seconds away at most.
    thread::scope(|scope| {
        loop {
            let accepted = listener.accept();
            if ends.load(Ordering::SeqCst) {
                break;
            }
            match accepted {
                Ok((stream, _)) => client(scope, stream, exposition, &clients),
                Err(error) => {
                    tracing::debug!(%error, "a client could not be accepted");
                    thread::sleep(PAUSE);
                }
            }
        }
    });
}

fn client<'scope>(
    scope: &'scope Scope<'scope, '_>,
    stream: TcpStream,
    exposition: &'scope Exposition,
    clients: &'scope Clients,
) {
    let Some((place, patience)) = clients.place() else {
        tracing::debug!("a client was turned away: too many at a time");
        return;
    };
    let serve = move || {
        let served = http::serve(&stream, patience, |path| exposition.page(path));
        drop(place);
        if let Err(error) = served {
            tracing::debug!(%error, "a client was not served");
        }
    };
    let spawned: io::Result<_> = thread::Builder::new().spawn_scoped(scope, serve);
    if let Err(error) = spawned {
        tracing::debug!(%error, "a client was turned away: no thread for it");
    }
}

/// How many clients there are.
#[derive(Debug, Default)]
struct Clients {
    patient: AtomicUsize,
    hasty: AtomicUsize,
}

impl Clients {
    /// A place, and how long it may be kept.
    fn place(&self) -> Option<(Place<'_>, Duration)> {
        let patient = Place::take(&self.patient, MOST_CLIENTS);
        let patient = patient.map(|place| (place, http::PATIENCE));
        patient.or_else(|| Some((Place::take(&self.hasty, MOST_OTHERS)?, HASTE)))
    }
}

/// One of the places for clients.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(clients: &'a AtomicUsize, most: usize) -> Option<Self> {
        let one_more = |taken: usize| taken.checked_add(1).filter(|taken| *taken <= most);
        clients
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
            .ok()
            .map(|_| Self(clients))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_are_given_back() {
        let clients = Clients::default();

        let (places, patience): (Vec<_>, Vec<_>) = std::iter::from_fn(|| clients.place()).unzip();

        let (patient, hasty) = patience.split_at(MOST_CLIENTS);
        assert!(patient.iter().all(|patience| *patience == http::PATIENCE));
        assert_eq!(hasty, [HASTE; MOST_OTHERS]);
        drop(places);
        assert_eq!(clients.place().unwrap().1, http::PATIENCE);
    }

    #[test]
    fn a_server_on_every_address_is_woken_on_loopback() {
        let all = "0.0.0.0:9464".parse().unwrap();
        let six = "[::]:9464".parse().unwrap();
        let one = "10.0.0.7:9464".parse().unwrap();

        assert_eq!(reachable(all).to_string(), "127.0.0.1:9464");
        assert_eq!(reachable(six).to_string(), "[::1]:9464");
        assert_eq!(reachable(one), one);
    }
}
