//! The example `serve` in Chromium.

mod event_source;
mod no_delay;
mod page;
mod support;
