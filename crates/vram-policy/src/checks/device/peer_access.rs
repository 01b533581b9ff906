//! `device.peer-access`: no other device could map this one's memory.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DevicePeerAccess,
    severity: Severity::Low,
    levels: Levels::NOTED,
    meaning: "Other GPUs of this machine could map this one's memory, if this process let them. \
              Sealed regions are given to no peer.",
    remedy: "Nothing needs to be done. Who wants none visible names one device in \
             CUDA_VISIBLE_DEVICES.",
    attributes: &["cuDeviceCanAccessPeer"],
    documentation: "CUDA Driver API, Peer Context Memory Access: cuDeviceCanAccessPeer",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    Clause::that(
        "peers",
        facts.peers.as_deref(),
        "none",
        |peers| peers.is_empty(),
        |peers| match peers {
            [] => "none".to_owned(),
            _ => {
                let ordinals: Vec<String> = peers.iter().map(u32::to_string).collect();
                format!("devices {}", ordinals.join(" "))
            }
        },
    )
    .into()
}
