//! axum's events are written into a buffer of their own as they are built; the bytes come out of the body of its response.

use crate::harness::Role;
use crate::{Entry, Way, Work};
use axum::body::HttpBody;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use bytes::Bytes;
use futures_util::stream;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub(crate) fn entries(work: &'static Work, way: Way) -> Vec<Entry> {
    match way {
        Way::Append | Way::Split => Vec::new(),
        Way::Bytes => vec![Entry::bytes(Role::Peer, "axum", work, encoder(work))],
    }
}

fn encoder(work: &'static Work) -> impl FnMut(&Work) -> Bytes {
    // The one way from an event to its bytes that is public.
    let events = stream::repeat_with(move || Ok::<_, Infallible>(event(black_box(work))));
    let mut body = Sse::new(events).into_response().into_body();
    move |_| match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().expect("a frame of data"),
        _ => unreachable!("the stream is always ready and never ends"),
    }
}

#[expect(
    clippy::inline_always,
    reason = "built in place, as in a program that sends what it has at hand"
)]
#[inline(always)]
fn event(work: &Work) -> Event {
    let mut event = Event::default();
    if let Some(event_type) = work.event_type {
        event = event.event(event_type);
    }
    if let Some(id) = work.id {
        event = event.id(id);
    }
    event.data(work.data)
}
