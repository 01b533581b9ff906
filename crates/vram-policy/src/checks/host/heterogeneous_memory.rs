//! `host.heterogeneous-memory`: the kernel shares no host pages with the device.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::on_linux;
use crate::clause::{Clause, Conditions};
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostHeterogeneousMemory,
    severity: Severity::Low,
    levels: Levels::NOTED,
    meaning: "The nvidia-uvm module lets GPUs use the host's pages where hardware and kernel can \
              (heterogeneous memory management). Memory that was allocated on the device stays \
              there.",
    remedy: "Nothing needs to be done while device.own-memory passes. To turn it off: options \
             nvidia-uvm uvm_disable_hmm=1 in /etc/modprobe.d, then load the module anew.",
    attributes: &["/sys/module/nvidia_uvm/parameters/uvm_disable_hmm"],
    documentation: "NVIDIA Linux open kernel modules: uvm_hmm.c; Linux kernel: Heterogeneous \
                    Memory Management",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    let on = facts.heterogeneous_memory_management;
    on_linux(facts, vec![Clause::must_be_false("HMM", on)])
}
