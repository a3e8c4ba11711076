//! Each timer that the page on a stream's life names, as it names it, keeps a stream alive on its own runtime.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use sse_proto::{EventStreamExt, Timer, local_channel};

/// What actix-web has under this name. The framework itself is in `examples/mounted`.
mod actix_web {
    pub(crate) use actix_rt as rt;
}

#[test]
fn tokio() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().expect("a runtime");
    runtime.block_on(keeps_alive(tokio::time::sleep));
}

#[test]
fn actix() {
    let system = actix_rt::System::new();
    system.block_on(keeps_alive(actix_web::rt::time::sleep));
}

#[test]
fn async_io() {
    block_on(keeps_alive(async_io::Timer::after));
}

#[test]
fn compio() {
    let runtime = compio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(keeps_alive(compio::time::sleep));
}

#[test]
fn monoio() {
    let builder = monoio::RuntimeBuilder::<monoio::FusionDriver>::new();
    let mut runtime = builder.enable_timer().build().expect("a runtime");
    runtime.block_on(keeps_alive(monoio::time::sleep));
}

#[test]
fn glommio() {
    let executor = glommio::LocalExecutorBuilder::default().make();
    let executor = executor.expect("an executor");
    executor.run(keeps_alive(glommio::timer::sleep));
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "as the page has it")]
fn embassy() {
    block_on(keeps_alive(|after: core::time::Duration| {
        embassy_time::Timer::after_millis(after.as_millis() as u64)
    }));
}

#[test]
fn none_of_these() {
    block_on(keeps_alive(futures_timer::Delay::new));
}

#[test]
fn the_page_names_no_other_but_that_of_wasm() {
    let page = include_str!("../../../src/guide/life.md");
    let (_, table) = page
        .split_once("| runtime | the timer of")
        .expect("its table");
    let (table, _) = table.split_once("\n\n").expect("what follows it");
    let rows = table.lines().skip(2);
    let timers = rows.filter_map(|row| row.rsplit('`').nth(1));
    let squeezed = |text: &str| {
        text.replace(['\\', '{', '}'], "")
            .split_whitespace()
            .collect()
    };
    let tested: String = squeezed(include_str!("timers.rs"));
    let mut untested: Vec<String> = timers.map(squeezed).collect();
    assert!(untested.len() > 7);
    untested.retain(|timer| !tested.contains(&format!("keeps_alive({timer})")));
    assert_eq!(untested, ["gloo_timers::future::sleep"]);
}

/// Waits until a silent stream has been kept alive twice.
async fn keeps_alive(timer: impl Timer) {
    let (_target, stream) = local_channel();
    let stream = stream.keep_alive(Duration::from_millis(1), timer);
    let comments: Vec<_> = pin!(stream).take(2).collect().await;
    assert_eq!(comments, [": keep-alive comment\n"; 2]);
}
