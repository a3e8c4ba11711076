//! The memory that one target takes, with its handle and its stream: in bytes, counted with the
//! allocator, before its first event and once what was sent is delivered, alone and in adapters.
//!
//! Nothing is timed, so the figures hold on any machine of the same width.

use std::future::{Pending, Ready, pending, ready};
use std::mem::size_of_val;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use futures::Stream;
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble};
use sse_proto::target::Sharing;
use sse_proto::{Event, EventStreamExt, Frame, Target, channel, local_channel};

fn main() {
    println!("bytes of one target, allocated and of its handle and stream themselves");
    println!("{:<46}{:>8}{:>9}", "", "opened", "drained");
    line("channel()", channel);
    line("local_channel()", local_channel);
    line("channel() in until and keep_alive", || {
        let (target, stream) = channel();
        let stream = stream.until(pending::<()>());
        (target, stream.keep_alive(KEEP_ALIVE_INTERVAL, never))
    });
    line("channel() in all adapters, with a farewell", || {
        let (target, stream) = channel();
        let stream = stream
            .until(pending::<()>())
            .with_farewell(Frame::new(&Event::message("bye")))
            .preamble(&Preamble::new().with_reconnection_time(Duration::from_secs(2)))
            .coalesce(16 * 1024)
            .linger(Duration::from_millis(5), at_once)
            .keep_alive(KEEP_ALIVE_INTERVAL, never);
        (target, stream)
    });
}

fn never(_: Duration) -> Pending<()> {
    pending()
}

fn at_once(_: Duration) -> Ready<()> {
    ready(())
}

fn line<S, B>(name: &str, open: impl FnOnce() -> (Target<S>, B))
where
    S: Sharing,
    B: Stream<Item = Bytes> + Unpin,
{
    let [opened, drained] = measured(open, |(target, stream)| {
        target.dispatch_message("hello").expect("there is room");
        let mut cx = Context::from_waker(Waker::noop());
        let mut bytes = 0;
        while let Poll::Ready(Some(chunk)) = Pin::new(&mut *stream).poll_next(&mut cx) {
            bytes += chunk.len();
        }
        assert!(bytes > 0 && target.queued_frames() == 0);
    });
    print(name, opened, drained);
}

/// What is held once something is opened, and once it was used.
fn measured<T>(open: impl FnOnce() -> T, work: impl FnOnce(&mut T)) -> [i64; 2] {
    let mut held = None;
    let opened = measure(|| held = Some(open())).bytes_current;
    let mut held = held.expect("it was opened");
    let inline = i64::try_from(size_of_val(&held)).expect("small");
    let used = measure(|| work(&mut held)).bytes_current;
    [opened + inline, opened + inline + used]
}

fn print(name: &str, opened: i64, drained: i64) {
    println!("{name:<46}{opened:>8}{drained:>9}");
}
