//! What the workspace is built of, as a `CycloneDX` document.

use std::collections::BTreeMap;

use anyhow::Context as _;
use cyclonedx_bom::models::component::{Classification, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::prelude::{
    Bom, Component, DateTime, Metadata, Purl, SpecVersion, UrnUuid, Validate as _,
};
use serde::Deserialize;

/// The part of `cargo metadata` that is used.
#[derive(Deserialize)]
pub(super) struct CargoMetadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Option<Resolve>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    description: Option<String>,
    manifest_path: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

impl CargoMetadata {
    /// The workspace's own packages by the folders that they lie in, within the workspace.
    pub(super) fn folders(&self, root: &std::path::Path) -> BTreeMap<String, String> {
        let own = self
            .packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id));
        let folders = own.filter_map(|package| {
            let folder = std::path::Path::new(&package.manifest_path).parent()?;
            let within = folder.strip_prefix(root).ok()?;
            Some((within.to_string_lossy().into_owned(), package.name.clone()))
        });
        folders.collect()
    }
}

impl Package {
    fn reference(&self) -> anyhow::Result<Purl> {
        let purl = Purl::new("cargo", &self.name, &self.version);
        purl.with_context(|| format!("{} {} has no package URL", self.name, self.version))
    }
}

/// The document, with each package's licence, checksum and dependencies.
pub(super) fn write(
    metadata: &CargoMetadata,
    lock: &str,
    version: &str,
    date: &str,
) -> anyhow::Result<Vec<u8>> {
    let lock: Lock = toml_edit::de::from_str(lock).context("Cargo.lock can't be read")?;
    let locked = lock.package.into_iter();
    let checksums: BTreeMap<(String, String), String> = locked
        .filter_map(|package| Some(((package.name, package.version), package.checksum?)))
        .collect();
    let mut references = BTreeMap::new();
    let mut components = Vec::new();
    for package in &metadata.packages {
        let purl = package.reference()?;
        references.insert(package.id.as_str(), purl.to_string());
        components.push(component(package, purl, &checksums));
    }
    components.sort_by(|one: &Component, other| one.bom_ref.cmp(&other.bom_ref));
    let bom = Bom {
        serial_number: Some(UrnUuid::generate()),
        metadata: Some(Metadata {
            timestamp: Some(DateTime::try_from(date.to_owned()).context("the date")?),
            component: Some(Component::new(
                Classification::Application,
                "vram-residency",
                version,
                None,
            )),
            ..Metadata::default()
        }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies(metadata, &references))),
        spec_version: SpecVersion::V1_5,
        ..Bom::default()
    };
    let validated = bom.validate_version(SpecVersion::V1_5);
    anyhow::ensure!(
        validated.passed(),
        "the list of packages is no CycloneDX document: {validated:?}"
    );
    let mut text = Vec::new();
    bom.output_as_json_v1_5(&mut text)?;
    text.push(b'\n');
    Ok(text)
}

fn component(
    package: &Package,
    purl: Purl,
    checksums: &BTreeMap<(String, String), String>,
) -> Component {
    let mut component = Component::new(
        Classification::Library,
        &package.name,
        &package.version,
        Some(purl.to_string()),
    );
    component.purl = Some(purl);
    component.description = package
        .description
        .as_deref()
        .map(cyclonedx_bom::prelude::NormalizedString::new);
    component.licenses = package.license.as_deref().map(|license| {
        // How older packages wrote "or".
        let expression = license.replace('/', " OR ");
        Licenses(vec![LicenseChoice::expression(&expression)])
    });
    let checksum = checksums.get(&(package.name.clone(), package.version.clone()));
    component.hashes = checksum.map(|checksum| {
        Hashes(vec![Hash {
            alg: HashAlgorithm::SHA_256,
            content: HashValue(checksum.clone()),
        }])
    });
    component
}

fn dependencies(metadata: &CargoMetadata, references: &BTreeMap<&str, String>) -> Vec<Dependency> {
    let reference = |id: &String| references.get(id.as_str()).cloned();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let dependencies = nodes.filter_map(|node| {
        let mut dependencies: Vec<_> = node.dependencies.iter().filter_map(reference).collect();
        dependencies.sort();
        dependencies.dedup();
        Some(Dependency {
            dependency_ref: reference(&node.id)?,
            dependencies,
        })
    });
    let mut dependencies: Vec<_> = dependencies.collect();
    dependencies.sort_by(|one, other| one.dependency_ref.cmp(&other.dependency_ref));
    dependencies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_stand_with_their_licence_checksum_and_dependencies() {
        let metadata: CargoMetadata = serde_json::from_value(serde_json::json!({
            "packages": [
                {"id": "path+file:///w#own@0.1.0", "name": "own", "version": "0.1.0", "license": "MIT OR Apache-2.0", "description": null, "manifest_path": "/w/crates/own/Cargo.toml"},
                {"id": "registry+x#ring@0.17.14", "name": "ring", "version": "0.17.14", "license": "Apache-2.0/ISC", "description": "Crypto", "manifest_path": "/r/ring/Cargo.toml"}
            ],
            "workspace_members": ["path+file:///w#own@0.1.0"],
            "resolve": {"nodes": [{"id": "path+file:///w#own@0.1.0", "dependencies": ["registry+x#ring@0.17.14"]}]}
        }))
        .unwrap();
        let checksum = "ab".repeat(32);
        let lock = format!(
            "[[package]]\nname = \"ring\"\nversion = \"0.17.14\"\nchecksum = \"{checksum}\"\n"
        );

        let text = write(&metadata, &lock, "0.1.0", "2026-01-31T23:59:59Z").unwrap();

        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(document["bomFormat"], "CycloneDX");
        assert_eq!(document["components"][1]["purl"], "pkg:cargo/ring@0.17.14");
        assert_eq!(
            document["components"][1]["hashes"][0]["content"],
            checksum.as_str()
        );
        assert_eq!(
            document["components"][1]["licenses"][0]["expression"],
            "Apache-2.0 OR ISC"
        );
        assert_eq!(
            document["dependencies"][0]["dependsOn"][0],
            "pkg:cargo/ring@0.17.14"
        );
        assert!(!String::from_utf8(text).unwrap().contains("file://"));
        let folders = metadata.folders(std::path::Path::new("/w"));
        assert_eq!(folders["crates/own"], "own");
    }
}
