//! A store in memory that can be held up and made to fail, and a clock that counts.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use vram_audit::{Clock, Options, SigningKey, Source, Store, Verdict, Verifier, VerifyingKey};

#[derive(Debug, Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Vec<u8>>,
    synced: Vec<Vec<u8>>,
    held: bool,
    /// Calls that wait because of it.
    waiting: usize,
    room: Option<usize>,
    fails_to_sync: bool,
}

impl Disk {
    pub(crate) fn new() -> Arc<Self> {
        let disk = Self::default();
        disk.state.lock().unwrap().files.push(Vec::new());
        Arc::new(disk)
    }

    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().files.clone()
    }

    pub(crate) fn synced(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().synced.clone()
    }

    pub(crate) fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    pub(crate) fn release(&self) {
        self.state.lock().unwrap().held = false;
        self.changed.notify_all();
    }

    pub(crate) fn wait_until_someone_waits(&self) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| state.waiting == 0)
                .unwrap(),
        );
    }

    /// Waits until a call has synced this text and a checkpoint after it, for as long as a minute.
    pub(crate) fn is_signed_in_time(&self, text: &str) -> bool {
        let is_signed = |state: &State| {
            let synced = String::from_utf8(state.synced.concat()).unwrap();
            let after = synced.rsplit_once(text);
            after.is_some_and(|(_, after)| after.contains(r#""kind":"checkpoint""#))
        };
        let state = self.state.lock().unwrap();
        let bound = Duration::from_mins(1);
        let waited = self
            .changed
            .wait_timeout_while(state, bound, |state| !is_signed(state));
        is_signed(&waited.unwrap().0)
    }

    /// Takes so many more bytes, then is full.
    pub(crate) fn leave_room_for(&self, bytes: usize) {
        self.state.lock().unwrap().room = Some(bytes);
    }

    pub(crate) fn fail_to_sync(&self) {
        self.state.lock().unwrap().fails_to_sync = true;
    }
}

#[derive(Debug)]
pub(crate) struct OnDisk(pub(crate) Arc<Disk>);

impl Store for OnDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.state.lock().unwrap();
        state.waiting += 1;
        self.0.changed.notify_all();
        let mut state = self
            .0
            .changed
            .wait_while(state, |state| state.held)
            .unwrap();
        state.waiting -= 1;
        let taken = state.room.unwrap_or(usize::MAX).min(bytes.len());
        if let Some(room) = &mut state.room {
            *room -= taken;
        }
        state.files.last_mut().unwrap().extend(&bytes[..taken]);
        if taken < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.state.lock().unwrap();
        if state.fails_to_sync {
            return Err(io::Error::other("simulated: the disk does not answer"));
        }
        state.synced = state.files.clone();
        self.0.changed.notify_all();
        Ok(())
    }

    fn next_file(&mut self, number: u32) -> io::Result<()> {
        let mut state = self.0.state.lock().unwrap();
        assert_eq!(state.files.len(), usize::try_from(number).unwrap());
        state.files.push(Vec::new());
        Ok(())
    }
}

/// A second later each time it is asked.
#[derive(Debug, Default)]
pub(crate) struct CountingClock(AtomicI64);

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        let second = 1_700_000_000 + self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_second(second).unwrap()
    }
}

pub(crate) fn key() -> SigningKey {
    key_of(7)
}

/// An Ed25519 key whose secret bytes are all this one, in PKCS #8 as RFC 8410 lays it down.
pub(crate) fn key_of(byte: u8) -> SigningKey {
    let prefix = hex::decode("302e020100300506032b657004220420").unwrap();
    SigningKey::from_pkcs8_der(&[&prefix[..], &[byte; 32]].concat()).unwrap()
}

/// Its public half.
pub(crate) fn public_key() -> VerifyingKey {
    key().verifying_key().clone()
}

pub(crate) fn options() -> Options {
    Options::new("tests")
        .unwrap()
        .clock(Arc::new(CountingClock::default()))
        .checkpoint_within(Duration::MAX)
}

pub(crate) fn sources(files: &[Vec<u8>]) -> Vec<Source<'_>> {
    let named = files.iter().enumerate();
    named
        .map(|(number, bytes)| Source::reader(number.to_string(), bytes.as_slice()))
        .collect()
}

pub(crate) fn verify(files: &[Vec<u8>]) -> Verdict {
    Verifier::new([public_key()])
        .verify(sources(files))
        .unwrap()
}
