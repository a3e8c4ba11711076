//! Stacks of the adapters that a life names.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use sse_proto::adapt::{Preamble, from_stream};
use sse_proto::deps::bytes::Bytes;
use sse_proto::{Event, EventStreamExt, Frame};

use super::fakes::{Clock, Signal, SourceStream};
use super::life::Adapter;

pub type Stack = Pin<Box<dyn EventStreamExt<Item = Bytes>>>;

/// A stream that the test feeds.
pub fn fed(stream: SourceStream) -> Stack {
    Box::pin(from_stream(stream))
}

pub fn put_around(stack: Stack, adapter: Adapter, clock: &Rc<Clock>, signal: &Rc<Signal>) -> Stack {
    let seconds = |seconds| Duration::from_secs(u64::from(seconds));
    match adapter {
        Adapter::KeepAlive { interval } => {
            Box::pin(stack.keep_alive(seconds(interval), clock.timer()))
        }
        Adapter::Preamble => Box::pin(
            stack.preamble(
                &Preamble::new()
                    .with_comment("hello")
                    .with_reconnection_time(Duration::from_secs(1)),
            ),
        ),
        Adapter::Until { farewell: false } => Box::pin(stack.until(signal.given())),
        Adapter::Until { farewell: true } => {
            let bye = Frame::new(&Event::message("bye"));
            Box::pin(stack.until(signal.given()).with_farewell(bye))
        }
        Adapter::Coalesce { max } => Box::pin(stack.coalesce(usize::from(max))),
        Adapter::Linger { max, duration } => Box::pin(
            stack
                .coalesce(usize::from(max))
                .linger(seconds(duration), clock.timer()),
        ),
    }
}
