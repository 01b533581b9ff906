//! What `vram doctor` said of the machine.

use super::markdown::{Page, link_text};
use super::number::number;
use crate::gpu::doctor::Doctor;

pub(super) fn found(page: &mut Page, doctor: Option<&Doctor>) {
    page.title(2, "What the policy found");
    let Some(doctor) = doctor else {
        page.paragraph("`vram doctor` was not run.");
        return;
    };
    page.paragraph(&format!(
        "`vram doctor`, profile {}: **{}**, after {} s. The whole report is [{file}]({file}), and \
         [doctor.txt](doctor.txt) as a person reads it.",
        link_text(&doctor.profile),
        link_text(&doctor.verdict),
        number(doctor.seconds),
        file = Doctor::FILE,
    ));
    page.table(&["", "verdict", "pass", "fail", "unknown", "do not apply"]);
    for subject in doctor.subjects() {
        let count = |status| subject.report.count(status).to_string();
        page.row(&[
            subject.name.clone(),
            subject.report.verdict.clone(),
            count("pass"),
            count("fail"),
            count("unknown"),
            count("not-applicable"),
        ]);
    }
    let open: Vec<_> = doctor
        .subjects()
        .flat_map(|subject| &subject.report.findings)
        .filter(|finding| matches!(finding.status.as_str(), "fail" | "unknown" | "warn"))
        .collect();
    if !open.is_empty() {
        page.line("");
    }
    for finding in open {
        page.line(&format!(
            "- `{}`: {} ({}): {}",
            finding.id,
            finding.status,
            finding.enforcement,
            link_text(&finding.observed)
        ));
    }
    for device in &doctor.devices {
        page.paragraph(&format!(
            "Residency of scratch data on device {}, by measurement: {}",
            device.index,
            link_text(&device.residency.summary)
        ));
    }
}
