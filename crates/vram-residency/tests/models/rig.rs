//! A simulated machine, a manager on it, and an observer that looks at the manager while it is told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use shuttle::thread;
use vram_alloc::Platform;
use vram_observe::{Answer, Card, CardAttestation, Witness};
use vram_policy::{HostFacts, ManagementFacts};
use vram_residency::{
    Error, Event, Manager, ManagerBuilder, Observer, ObserverError, SealRequest, SealedShard,
};
use vram_seal::{SealKey, ShardId};
use vram_sim::{DeviceModel, Machine};

pub(crate) const KEY: [u8; 32] = *b"a key that is used in tests only";

/// The real device has one stack of contexts a thread; all modelled threads run on one, and push and pop the same
/// context, so that it makes no difference whose it is.
pub(crate) struct Rig {
    pub(crate) machine: Machine,
    pub(crate) manager: Manager,
    pub(crate) heard: Arc<Ear>,
}

impl Rig {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(set: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Arc<Self> {
        let machine = Machine::builder()
            .device(DeviceModel::small(64 << 20))
            .threads(1)
            .build()
            .unwrap();
        let heard = Arc::new(Ear::default());
        let observer: Arc<dyn Observer> = heard.clone();
        let builder = Manager::builder()
            .key(SealKey::from_bytes(&KEY).unwrap())
            .allow_simulated()
            .witness(Arc::new(Nobody))
            .staging(2, 1 << 19)
            .observer(observer);
        let platform = Platform::with_driver(machine.driver()).unwrap();
        let manager = set(builder).build(&platform).unwrap();
        *heard.manager.lock().unwrap() = Some(manager.clone());
        Arc::new(Self {
            machine,
            manager,
            heard,
        })
    }

    pub(crate) fn seal(&self, name: &str) -> SealedShard {
        let bytes = weights(name);
        self.manager
            .seal(SealRequest::bytes(id(name), &bytes))
            .unwrap()
    }

    /// The same, where another thread may stop the manager.
    pub(crate) fn seal_unless_stopped(&self, name: &str) -> Option<SealedShard> {
        let bytes = weights(name);
        match self.manager.seal(SealRequest::bytes(id(name), &bytes)) {
            Ok(shard) => Some(shard),
            Err(Error::Stopped { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Flips a bit of a shard where it lies.
    pub(crate) fn tamper(&self, name: &str) {
        let bytes = weights(name);
        let allocations = self.machine.allocations(0).unwrap();
        let hers = allocations.into_iter().find(|allocation| {
            let head = self.machine.peek(allocation.id, 0, bytes.len());
            head.is_ok_and(|head| head == bytes)
        });
        self.machine.flip_bit(hers.unwrap().id, 7, 3).unwrap();
    }

    pub(crate) fn on_a_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let rig = Arc::clone(self);
        thread::spawn(move || work(&rig))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // The observer is the manager's, and must not be what keeps it.
        self.heard.manager.lock().unwrap().take();
    }
}

pub(crate) fn id(name: &str) -> ShardId {
    name.parse().unwrap()
}

/// Bytes of a shard of its own.
pub(crate) fn weights(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(5000).collect()
}

/// Nobody looks at the machine that models run on.
#[derive(Debug)]
struct Nobody;

impl Witness for Nobody {
    fn host(&self) -> HostFacts {
        HostFacts::default()
    }

    fn management(&self, _: &Card<'_>) -> ManagementFacts {
        ManagementFacts::default()
    }

    fn attestation(&self, _: &Card<'_>, _: &[u8; 32]) -> Answer<CardAttestation> {
        Err(vram_observe::Error::LibraryAbsent {
            reason: "nobody is asked".to_owned(),
        })
    }
}

/// What an observer sees of a manager at the moment at which it is told of something.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    manager: Mutex<Option<Manager>>,
    /// A good verification was told after the manager had stopped.
    pub(crate) late: AtomicBool,
    pub(crate) stops: AtomicUsize,
}

impl Observer for Ear {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        let Some(manager) = self.manager.lock().unwrap().clone() else {
            return Ok(());
        };
        let stopped = manager.stop_reason().is_some();
        match event {
            Event::Verified { .. } if stopped => self.late.store(true, Ordering::SeqCst),
            Event::VerificationFailed { .. } => {
                assert!(
                    stopped,
                    "a failure is written down before it stops anything"
                );
            }
            Event::ManagerStopped { .. } => {
                self.stops.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        Ok(())
    }
}
