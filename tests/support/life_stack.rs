//! Stacks of the adapters that a life names.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use sse_proto::adapt::Preamble;
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::futures_core::stream::FusedStream;
use sse_proto::target::Sharing;
use sse_proto::{Event, EventStream, EventStreamExt, Frame};

use super::fakes::{Clock, Signal};
use super::life::Adapter;

pub type Stack = Pin<Box<dyn FusedStream<Item = Bytes>>>;

/// The stream of a target and what stands right around it: its own `until` is a method of its own.
pub fn begin<S: Sharing>(
    stream: EventStream<S>,
    adapters: &mut &[Adapter],
    signal: &Rc<Signal>,
) -> Stack {
    let Some((&Adapter::Until { farewell }, others)) = adapters.split_first() else {
        return Box::pin(stream);
    };
    *adapters = others;
    let stream = stream.until(signal.given());
    if farewell {
        Box::pin(stream.with_farewell(bye()))
    } else {
        Box::pin(stream)
    }
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
            Box::pin(stack.until(signal.given()).with_farewell(bye()))
        }
        Adapter::Coalesce { max } => Box::pin(stack.coalesce(usize::from(max))),
        Adapter::Linger { max, duration } => Box::pin(
            stack
                .coalesce(usize::from(max))
                .linger(seconds(duration), clock.timer()),
        ),
    }
}

fn bye() -> Frame {
    Frame::new(&Event::message("bye"))
}
