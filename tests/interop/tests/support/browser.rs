//! The browsers, headless.

use std::fs;
use std::process::Stdio;

use programs::Chromium;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::quiet;

/// The kind of a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Chromium,
    Firefox,
}

/// A running browser. Dropping it ends the browser.
#[derive(Debug)]
pub(crate) enum Browser {
    Chromium(#[expect(dead_code, reason = "it ends when it is dropped")] Chromium),
    Firefox(
        #[expect(dead_code, reason = "it ends when it is dropped")] Child,
        #[expect(dead_code, reason = "so do its files")] TempDir,
    ),
}

/// The settings of Firefox: no requests of its own, and a proxy that does not exist for all other hosts.
const PREFERENCES: &str = r#"
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.aboutwelcome.enabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:9/");
"#;

impl Browser {
    /// Opens a page.
    pub(crate) async fn open(engine: Engine, url: &str) -> Self {
        match engine {
            Engine::Chromium => {
                let chromium = Chromium::start().await;
                chromium.client().goto(url).await.expect("the page loads");
                Self::Chromium(chromium)
            }
            Engine::Firefox => {
                let profile = TempDir::new().expect("a folder");
                fs::write(profile.path().join("user.js"), PREFERENCES).expect("a file");
                let mut command = Command::new("firefox-esr");
                quiet(command.as_std_mut());
                let child = command
                    .args(["--headless", "--no-remote", "--profile"])
                    .arg(profile.path())
                    .arg(url)
                    .env("HOME", profile.path())
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn();
                let child = child.expect("Firefox (apt-get install firefox-esr)");
                Self::Firefox(child, profile)
            }
        }
    }
}
