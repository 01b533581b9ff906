//! What the workspace is built of, as a document of
//! [CycloneDX 1.5](https://cyclonedx.org/docs/1.5/json/).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

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
    /// The [package URL](https://github.com/package-url/purl-spec), which names it everywhere in the document.
    fn reference(&self) -> String {
        // What a package's name and version may hold beside letters, digits, `-`, `_` and `.`.
        format!(
            "pkg:cargo/{}@{}",
            self.name,
            self.version.replace('+', "%2B")
        )
    }

    fn component(&self, checksums: &BTreeMap<(&str, &str), &str>) -> Value {
        let reference = self.reference();
        let mut component = json!({
            "type": "library",
            "bom-ref": reference,
            "name": self.name,
            "version": self.version,
            "purl": reference,
        });
        if let Some(description) = &self.description {
            // One line, as the document's type asks for.
            let words: Vec<_> = description.split_whitespace().collect();
            insert(&mut component, "description", json!(words.join(" ")));
        }
        if let Some(license) = &self.license {
            // How older packages wrote "or".
            let expression = license.replace('/', " OR ");
            insert(
                &mut component,
                "licenses",
                json!([{"expression": expression}]),
            );
        }
        if let Some(checksum) = checksums.get(&(&*self.name, &*self.version)) {
            insert(
                &mut component,
                "hashes",
                json!([{"alg": "SHA-256", "content": checksum}]),
            );
        }
        component
    }
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
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
    let checksums: BTreeMap<(&str, &str), &str> = lock
        .package
        .iter()
        .filter_map(|package| {
            let checksum = package.checksum.as_deref()?;
            Some(((&*package.name, &*package.version), checksum))
        })
        .collect();
    // By their references, which puts them in order.
    let components: BTreeMap<String, Value> = metadata
        .packages
        .iter()
        .map(|package| (package.reference(), package.component(&checksums)))
        .collect();
    super::files::json(&json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": date,
            "component": {"type": "application", "name": "vram-residency", "version": version},
        },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies(metadata),
    }))
}

fn dependencies(metadata: &CargoMetadata) -> Vec<Value> {
    let packages = metadata.packages.iter();
    let references: BTreeMap<&str, String> = packages
        .map(|package| (&*package.id, package.reference()))
        .collect();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let dependencies: BTreeMap<&String, BTreeSet<&String>> = nodes
        .filter_map(|node| {
            let of_it = node.dependencies.iter();
            let of_it = of_it.filter_map(|id| references.get(id.as_str()));
            Some((references.get(node.id.as_str())?, of_it.collect()))
        })
        .collect();
    dependencies
        .into_iter()
        .map(|(reference, of_it)| json!({"ref": reference, "dependsOn": of_it}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_stand_with_their_licence_checksum_and_dependencies() {
        let metadata: CargoMetadata = serde_json::from_value(serde_json::json!({
            "packages": [
                {"id": "path+file:///w#own@0.1.0", "name": "own", "version": "0.1.0", "license": "MIT OR Apache-2.0", "description": null, "manifest_path": "/w/crates/own/Cargo.toml"},
                {"id": "registry+x#ring@0.17.14+x", "name": "ring", "version": "0.17.14+x", "license": "Apache-2.0/ISC", "description": "Crypto", "manifest_path": "/r/ring/Cargo.toml"}
            ],
            "workspace_members": ["path+file:///w#own@0.1.0"],
            "resolve": {"nodes": [{"id": "path+file:///w#own@0.1.0", "dependencies": ["registry+x#ring@0.17.14+x"]}]}
        }))
        .unwrap();
        let checksum = "ab".repeat(32);
        let lock = format!(
            "[[package]]\nname = \"ring\"\nversion = \"0.17.14+x\"\nchecksum = \"{checksum}\"\n"
        );

        let text = write(&metadata, &lock, "0.1.0", "2026-01-31T23:59:59Z").unwrap();

        let document: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(document["bomFormat"], "CycloneDX");
        assert_eq!(
            document["components"][1]["purl"],
            "pkg:cargo/ring@0.17.14%2Bx"
        );
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
            "pkg:cargo/ring@0.17.14%2Bx"
        );
        assert!(!String::from_utf8(text).unwrap().contains("file://"));
        let folders = metadata.folders(std::path::Path::new("/w"));
        assert_eq!(folders["crates/own"], "own");
    }
}
