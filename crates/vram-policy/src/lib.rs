//! The policy "weights live in the GPU's own memory and nowhere else", as pure decisions.
//!
//! Facts go in, findings come out. This crate asks no driver, reads no file and knows no CUDA
//! type: whoever can observe a device, the machine around it or a region writes what was observed
//! into [`DeviceFacts`], [`HostFacts`] or [`RegionFacts`], and a [`Policy`] judges it. The same facts
//! always give the same [`Report`], so a decision can be repeated, tested exhaustively and shown to
//! an auditor.
//!
//! # How it decides
//!
//! - Every observation is an [`Option`]. `None` means that nobody could say; a check that needs it
//!   answers [`Status::Unknown`], and unknown never passes.
//! - Capabilities prove nothing. Every discrete GPU reports that it could use managed memory and
//!   could map host memory, so those two facts are recorded and judged by no check. What counts is
//!   what each allocation is.
//! - Every policy asks every check. How one that does not pass counts is its [`Enforcement`]: as the
//!   [`Profile`] says, unless configuration [raised or lowered](Policy::with) it, which the finding
//!   then shows.
//! - Memory that isn't the device's own refuses in every profile, and each fact of a region is
//!   enough for that by itself. A worse fact never improves a verdict.
//! - No fact holds a device address. A range is described relative to the region that was expected
//!   ("starts where the region starts", "so many bytes"), so no report, log or error can print one.
//! - An [`Accepted`] is a proof: only a policy that accepted makes one, there is one for devices,
//!   one for hosts and one for regions, and none can be cloned or deserialized. Code that relies on
//!   the checks asks for it as an argument.
//!
//! # Example
//!
//! ```
//! use vram_policy::{
//!     Access, CheckId, DeviceFacts, Enforcement, MemoryKind, Policy, RegionFacts, Status, Verdict,
//! };
//!
//! // What the driver says about a discrete GPU. Managed memory and host mapping are possible on
//! // every one of them, and that is no reason to refuse it.
//! let device = DeviceFacts {
//!     integrated: Some(false),
//!     pageable_memory_access: Some(false),
//!     pageable_memory_access_uses_host_page_tables: Some(false),
//!     managed_memory: Some(true),
//!     can_map_host_memory: Some(true),
//!     ..DeviceFacts::default()
//! };
//! let proof = Policy::standard().admit_device(&device)?;
//! // Much is not known of it. In operation that is tolerated, and said; an auditor doesn't take it.
//! assert_eq!(proof.report().verdict(), Verdict::AcceptedWithWarnings);
//! assert!(Policy::strict().admit_device(&device).is_err());
//!
//! // A region that turns out to be host memory which the GPU reads over the bus.
//! let region = RegionFacts {
//!     memory: Some(MemoryKind::Host),
//!     device_ordinal: Some(0),
//!     starts_at_region: Some(true),
//!     reported_size: Some(2 << 20),
//!     managed: Some(false),
//!     host_alias: Some(true),
//!     legacy_ipc: Some(false),
//!     export_handle_types: Some(0),
//!     access: Some(Access::ReadWrite),
//!     ..RegionFacts::unobserved(0, 2 << 20)
//! };
//! let refusal = Policy::development()
//!     .admit_region(&region)
//!     .expect_err("host memory is refused in every profile");
//! let refused: Vec<&str> = refusal.findings().iter().map(|f| f.id.as_str()).collect();
//! assert_eq!(refused, ["region.device-memory", "region.no-host-alias"]);
//!
//! // Not knowing is not passing.
//! let report = Policy::strict().assess_region(&RegionFacts { managed: None, ..region });
//! assert_eq!(report.finding(CheckId::RegionNotManaged).unwrap().status, Status::Unknown);
//!
//! // A check can be made to count more, or less; the report shows that it was.
//! let policy = Policy::standard().with(CheckId::DeviceEccMode, Enforcement::Refuse);
//! let report = policy.assess_device(&device);
//! let finding = report.finding(CheckId::DeviceEccMode).unwrap();
//! assert_eq!(finding.raised_or_lowered_from, Some(Enforcement::Warn));
//! # Ok::<(), vram_policy::Refusal>(())
//! ```
//!
//! Each check, why it is there, how it is observed and what to do is listed in the guide,
//! `docs/guides/policy.md`.
//!
//! # Adding a check
//!
//! A check is one file in the folder of its subject under `src/checks`: a constant row with its id,
//! severity, enforcement in each profile, meaning, remedy and source, and a function from facts to
//! conditions. It joins the table of its subject. The tests over the tables hold it to the rules above,
//! and ask for a fact that breaks it, and for what a worse fact is.

#![forbid(unsafe_code)]

mod check_id;
mod checks;
mod clause;
mod facts;
mod finding;
mod names;
mod policy;
mod profile;
mod refusal;
mod report;
pub mod residency;

pub use crate::check_id::CheckId;
pub use crate::facts::{
    Access, ComputeMode, ConfidentialCompute, DeviceFacts, DriverModel, EccFacts,
    EnvironmentVariable, HostFacts, LinkFacts, ManagementFacts, MemoryKind, OperatingSystem,
    ProcessFacts, ProcessKind, RegionFacts, RowRemapping, Virtualization,
};
pub use crate::finding::{Finding, Severity, Source, Status};
pub use crate::names::UnknownName;
pub use crate::policy::{Accepted, Policy};
pub use crate::profile::{Enforcement, Profile};
pub use crate::refusal::Refusal;
pub use crate::report::{Report, Verdict};
