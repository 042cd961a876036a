//! The image that every real node has from the start, written without any tool of containers.
//!
//! An image with one file is four small documents around a tar archive. Writing them takes less than installing a builder
//! of images, needs no privileges, and gives the same bytes each time.

use crate::{
    error::{Context, Error},
    sources, tool,
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The image's name. Its program is the sandbox's pause, and what tests do in pods: `node ping ADDRESS`, `node api PATH`.
pub const NODE_IMAGE: &str = "controlplane.test/node:1";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Writes the image as an OCI archive; `folder` is for what is made on the way.
pub(crate) fn write(folder: &Path) -> Result<PathBuf, Error> {
    let (layout, blobs) = (folder.join("layout"), folder.join("layout/blobs/sha256"));
    fs::create_dir_all(&blobs).context(|| blobs.display().to_string())?;
    let program = tool::get(sources::NODE)?;
    let layer = folder.join("layer.tar");
    tar(&layer, program.parent().unwrap_or(Path::new("/")), &[sources::NODE.name])?;
    let layer = fs::read(&layer).context(|| layer.display().to_string())?;
    let layer = Blob::write(&blobs, LAYER, &layer)?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": ["/node"], "Cmd": ["pause"], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
    });
    let config = Blob::write(&blobs, CONFIG, config.to_string().as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    let mut manifest = Blob::write(&blobs, MANIFEST, manifest.to_string().as_bytes())?.descriptor();
    manifest["annotations"] = json!({"io.containerd.image.name": NODE_IMAGE});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    let version = json!({"imageLayoutVersion": "1.0.0"});
    for (name, document) in [("index.json", index), ("oci-layout", version)] {
        fs::write(layout.join(name), document.to_string()).context(|| name.to_owned())?;
    }
    let archive = folder.join("node.tar");
    tar(&archive, &layout, &["oci-layout", "index.json", "blobs"])?;
    Ok(archive)
}

/// What is stored under its own digest.
struct Blob {
    kind: &'static str,
    digest: String,
    size: usize,
}

fn tar(archive: &Path, folder: &Path, names: &[&str]) -> Result<(), Error> {
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--mtime=@0",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--create",
        "--file",
    ]);
    tar.arg(archive).arg("--directory").arg(folder).args(names);
    super::machine::feed(tar, "").map(drop)
}

/// As images call the machine that this program is made for.
fn architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

// === impl Blob ===

impl Blob {
    fn write(blobs: &Path, kind: &'static str, content: &[u8]) -> Result<Self, Error> {
        let mut hex = String::new();
        for byte in digest(&SHA256, content).as_ref() {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        fs::write(blobs.join(&hex), content).context(|| format!("blob {hex}"))?;
        Ok(Self { kind, digest: format!("sha256:{hex}"), size: content.len() })
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.kind, "digest": self.digest, "size": self.size})
    }
}
