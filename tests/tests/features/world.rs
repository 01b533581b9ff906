//! What a scenario has: a worker on a device, its shards, what came of the last request, and all that was emitted.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use vram_alloc::Capacity;
use vram_policy::{Policy, Report};
use vram_residency::{Clock, Error, Manager, SealedShard, VerificationReport, Verified};
use vram_seal::{DeviceId, SealedRecord, Token, VerityDigest, WorkerId};
use vram_sys::CUresult;

use crate::audit::{AuditTrail, History};
use crate::scene::Scene;
use crate::{content, log};

/// What the worker's key is made of. No run of it is a word that anything says.
pub(crate) const TOKEN: [u8; 32] = *b"\x11\xa7 tHe+tOkEn_tHaT-nObOdY*mAy%sEe";
pub(crate) const WORKER: &str = "worker-0";
/// What the key of another worker on the same device is made of.
const OTHER_TOKEN: [u8; 32] = [9; 32];

/// What a worker is given; it is made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Of device memory, in bytes.
    pub(crate) budget: u64,
    pub(crate) max_age: Option<Duration>,
    pub(crate) clock: Option<Arc<MovedClock>>,
    /// Whether the driver's answers can be changed.
    pub(crate) interfering: bool,
}

/// A shard, and the bytes that it was sealed from.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) shard: SealedShard,
    pub(crate) bytes: Vec<u8>,
}

/// What a handle said of itself when its shard was sealed, and the permit after a verification.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// The handle, serialized.
    pub(crate) json: Value,
    pub(crate) address: Option<u64>,
}

/// Declared in the order in which it ends.
#[derive(cucumber::World)]
#[world(init = Self::new)]
pub(crate) struct World {
    pub(crate) shards: BTreeMap<String, Sealed>,
    pub(crate) theirs: Option<SealedShard>,
    worker: Option<Manager>,
    pub(crate) other_worker: Option<Manager>,
    audit: Option<AuditTrail>,
    pub(crate) settings: Settings,
    scene: Option<Scene>,

    /// What came of the last request.
    pub(crate) outcome: Option<Result<(), Error>>,
    pub(crate) report: Option<VerificationReport>,
    /// The shard that was sealed last.
    pub(crate) newest: String,
    pub(crate) noted: BTreeMap<String, Noted>,
    /// A record that was kept elsewhere, as JSON.
    pub(crate) record: Option<String>,
    /// What was found of shards that were verified together.
    pub(crate) found: BTreeMap<String, Result<VerityDigest, String>>,
    /// What the driver answered to other code: at the call, and once the device was done.
    pub(crate) driver_said: Option<(CUresult, CUresult)>,
    /// The capacity before the last request, and what was read of its model.
    pub(crate) before: Option<Capacity>,
    pub(crate) read: u64,
    /// The most that was seen in use, in bytes.
    pub(crate) used_at_most: u64,
    /// The worker's key by its name, and its device.
    pub(crate) key_id: Option<String>,
    pub(crate) device: Option<DeviceId>,
    /// What the worker showed of itself, and what was shown of it.
    emitted: String,
    history: Option<History>,
}

impl World {
    fn new() -> Self {
        log::begin();
        Self {
            shards: BTreeMap::new(),
            theirs: None,
            worker: None,
            other_worker: None,
            audit: None,
            settings: Settings::default(),
            scene: None,
            outcome: None,
            report: None,
            newest: String::new(),
            noted: BTreeMap::new(),
            record: None,
            found: BTreeMap::new(),
            driver_said: None,
            before: None,
            read: 0,
            used_at_most: 0,
            key_id: None,
            device: None,
            emitted: String::new(),
            history: None,
        }
    }

    /// The worker.
    pub(crate) fn worker(&mut self) -> Manager {
        assert!(self.history.is_none(), "the worker has ended");
        if let Some(worker) = &self.worker {
            return worker.clone();
        }
        let scene = Scene::new(self.settings.interfering);
        let audit = AuditTrail::begin();
        let mut builder = Manager::builder()
            .token(Token::new(&TOKEN).unwrap(), worker_id(WORKER))
            .budget(self.settings.budget)
            .staging(2, 512 << 10)
            // What is tested is the worker, on whatever machine it runs.
            .policy(Policy::development())
            .allow_simulated()
            .observer(audit.observer());
        if let Some(age) = self.settings.max_age {
            builder = builder.max_age(age);
        }
        if let Some(clock) = &self.settings.clock {
            builder = builder.clock(Arc::clone(clock) as Arc<dyn Clock>);
        }
        self.show(&builder);
        let worker = builder.build_on(&scene.device).unwrap();
        self.show(&worker);
        self.key_id = Some(worker.key_id().to_string());
        self.device = Some(worker.device_id());
        self.scene = Some(scene);
        self.audit = Some(audit);
        self.worker = Some(worker.clone());
        worker
    }

    /// A worker with a key of its own, on the same device.
    pub(crate) fn begin_other_worker(&mut self) {
        self.worker();
        let builder = Manager::builder()
            .token(Token::new(&OTHER_TOKEN).unwrap(), worker_id("worker-1"))
            .budget(self.settings.budget)
            .staging(2, 512 << 10)
            .policy(Policy::development())
            .allow_simulated();
        let other = builder.build_on(&self.scene().device).unwrap();
        self.other_worker = Some(other);
    }

    /// The device that the worker runs on.
    pub(crate) fn scene(&mut self) -> &mut Scene {
        self.worker();
        self.scene.as_mut().unwrap()
    }

    pub(crate) fn shard(&self, id: &str) -> &SealedShard {
        let sealed = self.shards.get(id);
        &sealed.unwrap_or_else(|| panic!("{id} is not sealed")).shard
    }

    pub(crate) fn capacity(&mut self) -> Capacity {
        let capacity = self.worker().capacity().unwrap();
        self.show(&capacity);
        self.show_json(&capacity);
        capacity
    }

    /// Bytes for a model of this id: not those of another.
    pub(crate) fn weights(id: &str, len: usize) -> Vec<u8> {
        let seed = content::sha256(id.as_bytes());
        content::noise(u64::from_le_bytes(seed[..8].try_into().unwrap()), len)
    }

    /// Takes a sealed shard in.
    pub(crate) fn keep(&mut self, shard: SealedShard, bytes: Vec<u8>) {
        self.show(&shard);
        let json = self.show_json(&shard);
        let id = shard.id().to_string();
        let address = None;
        self.noted.insert(id.clone(), Noted { json, address });
        self.newest.clone_from(&id);
        self.shards.insert(id, Sealed { shard, bytes });
    }

    /// Takes in what came of a request, and shows it as a caller could.
    pub(crate) fn note<T>(&mut self, outcome: Result<T, Error>) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.outcome = Some(Ok(()));
                Some(value)
            }
            Err(error) => {
                self.show(&error);
                self.emitted += &format!("{error}\n");
                self.outcome = Some(Err(error));
                None
            }
        }
    }

    /// Verifies a shard, against a record if one is given.
    pub(crate) fn verify(&mut self, id: &str, record: Option<&SealedRecord>) {
        let worker = self.worker();
        let shard = self.shards.remove(id).unwrap();
        let verified = match record {
            Some(record) => worker.verify_record(&shard.shard, record),
            None => worker.verify(&shard.shard),
        };
        self.report = self
            .note(verified)
            .map(|verified| self.permitted(id, verified));
        self.shards.insert(id.to_owned(), shard);
    }

    fn permitted(&mut self, id: &str, verified: Verified<'_>) -> VerificationReport {
        let address = verified.permit.device_address().unwrap();
        self.show(&verified);
        self.show(&address);
        self.show_json(&verified.report);
        self.noted.get_mut(id).unwrap().address = Some(address.as_raw());
        verified.report
    }

    /// The error that the last request ended with.
    pub(crate) fn refusal(&self) -> &Error {
        match &self.outcome {
            Some(Err(error)) => error,
            other => panic!("the last request was not refused: {other:?}"),
        }
    }

    /// What the policy said of the device, of the machine, and of the region that was verified last.
    pub(crate) fn reports(&mut self) -> Vec<Report> {
        let worker = self.worker();
        let region = self.report.as_ref().expect("a verification passed");
        vec![
            worker.device_report().clone(),
            worker.host_report().clone(),
            Report::clone(&region.policy),
        ]
    }

    /// The worker's history: it ends for that, after all its shards.
    pub(crate) fn history(&mut self) -> &History {
        if self.history.is_none() {
            self.worker();
            self.shards.clear();
            self.theirs = None;
            self.other_worker = None;
            self.worker = None;
            self.history = self.audit.take().map(AuditTrail::end);
        }
        self.history.as_ref().unwrap()
    }

    /// Everything that was emitted: what the worker and all that it gave out show of themselves, the audit trail, and
    /// the log.
    pub(crate) fn emitted(&mut self) -> String {
        let history = self.history().text.clone();
        [self.emitted.clone(), history, log::so_far()].join("\n")
    }

    pub(crate) fn show(&mut self, shown: &dyn Debug) {
        self.emitted += &format!("{shown:?}\n{shown:#?}\n");
    }

    pub(crate) fn show_json(&mut self, shown: &impl Serialize) -> Value {
        let json = serde_json::to_value(shown).unwrap();
        self.emitted += &format!("{json}\n{json:#}\n");
        json
    }
}

impl Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("shards", &self.shards.keys())
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

fn worker_id(name: &str) -> WorkerId {
    name.parse().unwrap()
}

/// Clocks that stand where they are put.
#[derive(Debug)]
pub(crate) struct MovedClock(Mutex<Duration>);

impl MovedClock {
    /// A morning in 2026.
    pub(crate) fn standing() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Duration::from_secs(1_790_000_000))))
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Result<Duration, Error> {
        Ok(*self.0.lock().unwrap())
    }

    fn monotonic(&self) -> Result<Duration, Error> {
        self.now()
    }
}
