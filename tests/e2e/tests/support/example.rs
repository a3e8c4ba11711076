//! The table of the examples.

use std::collections::HashMap;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;

use programs::built;

/// An example under `examples/mounted`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    /// Whether it speaks HTTP/2 to who begins with it.
    pub(crate) has_http2: bool,
    /// Whether it gives up a connection that it can't write to for seconds: the client may be gone before it lags.
    pub(crate) gives_up: bool,
}

pub(crate) const AXUM: Example = example("axum", true);
pub(crate) const HYPER_TOKIO: Example = example("hyper-tokio", true);
pub(crate) const TONIC: Example = example("tonic", true);
pub(crate) const TOWER_HTTP: Example = example("tower-http", true);

/// A recipe of its own, which is built with the others.
pub(crate) const NOTIFY: Example = example("notify", false);

/// Another, which many of are one.
pub(crate) const CLUSTER: Example = example("cluster", false);

/// All that speak the protocol of `examples/mounted/app`.
pub(crate) const EXAMPLES: [Example; 10] = [
    example("actix-web", false),
    AXUM,
    example("hyper-smol", false),
    HYPER_TOKIO,
    example("monoio", false),
    example("poem", false),
    Example {
        gives_up: true,
        ..example("threads", false)
    },
    TONIC,
    TOWER_HTTP,
    example("warp", true),
];

const fn example(name: &'static str, has_http2: bool) -> Example {
    Example {
        name,
        has_http2,
        gives_up: false,
    }
}

impl Example {
    /// Returns where it is; builds all of them first.
    pub(crate) fn program(self) -> &'static Path {
        &MOUNTED[self.name]
    }
}

/// Runs a test for every example, all at once: most of it is waiting. Tells which have failed.
pub(crate) fn each(test: impl Fn(Example) + Sync) {
    LazyLock::force(&MOUNTED);
    let run = |example| panic::catch_unwind(AssertUnwindSafe(|| test(example))).is_err();
    let failed: Vec<&str> = thread::scope(|scope| {
        let running = EXAMPLES.map(|example| {
            let thread = thread::Builder::new().name(example.name.into());
            let thread = thread.spawn_scoped(scope, move || run(example));
            (example.name, thread.expect("a thread"))
        });
        let ended = running.into_iter().map(|(name, thread)| {
            let failed = thread.join().unwrap_or(true);
            failed.then_some(name)
        });
        ended.flatten().collect()
    });
    assert_eq!(failed, [""; 0]);
}

static MOUNTED: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(|| {
    let all = built(
        "examples/mounted",
        &["--target-dir", &target("examples/mounted")],
    );
    let named = all.into_iter().map(|path| {
        let name = path.file_name().unwrap_or_default();
        (name.to_string_lossy().into_owned(), path)
    });
    named.collect()
});

/// The firmware.
pub(super) static BARE_METAL: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = target("examples/bare-metal");
    let all = built("examples/bare-metal", &["--target-dir", &target]);
    all.into_iter().next().expect("one program")
});

/// Where the gate builds a package, too.
fn target(package: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join(package).display().to_string()
}
