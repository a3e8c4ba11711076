//! The example `serve` in Chromium.

mod event_source;
mod page;
mod support;
