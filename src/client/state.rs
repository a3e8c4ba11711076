//! The states of a client, and every transition between them.

/// The state of an [`EventSource`](crate::EventSource).
///
/// The standard's `readyState` is `CONNECTING` for `Idle`, `Connecting` and `Waiting`, `OPEN` for
/// `Open`, and `CLOSED` for `Closed`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    /// Not started.
    Idle,
    /// A request is about to be sent, or its response has not arrived.
    Connecting,
    /// The response is an event stream, and its bytes are read.
    Open,
    /// Waits for the retry, or for the network.
    Waiting,
    /// Closed for good.
    Closed,
}

/// An input that can change the state. Bytes change it only if an event exceeds a limit that ends
/// the stream; this is a `GiveUp`.
#[derive(Clone, Copy)]
pub(super) enum Trigger {
    /// The caller starts the client.
    Start,
    /// The caller starts the client while there is no network.
    StartOffline,
    /// The response is an event stream.
    Accepted,
    /// The response names another URL.
    Redirected,
    /// The request or the stream is lost, and may be repeated.
    Lost,
    /// The delay before the retry is over.
    Due,
    /// The caller wants a new connection now.
    Reconnect,
    /// The client must not continue: the response was rejected, a limit is reached, or the request
    /// must not be repeated.
    GiveUp,
    /// The caller closes the client.
    Close,
}

/// The action of a transition.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Nothing,
    /// Send a request.
    Send,
    /// Send another request for the same connection.
    Follow,
    /// Report the open stream.
    Open,
    /// Drop the connection, and wait for the next one.
    Wait,
    /// Drop the connection, and send the next request.
    Replace,
    /// Drop the connection, if there is one, for good.
    Close,
}

impl State {
    /// Returns the next state and the action. The rules:
    ///
    /// - a request is sent only from `Idle` and `Waiting`, in which no connection is open, to follow
    ///   a redirect, or to replace an open connection;
    /// - a loss leads to `Waiting`, and from there limits may lead to `Closed`;
    /// - nothing leaves `Closed`.
    #[must_use]
    pub(super) const fn next(self, trigger: Trigger) -> (Self, Action) {
        use State::{Closed, Connecting, Idle, Open, Waiting};
        use Trigger::{
            Accepted, Close, Due, GiveUp, Lost, Reconnect, Redirected, Start, StartOffline,
        };
        match (self, trigger) {
            (Idle, Start) | (Waiting, Due | Reconnect) => (Connecting, Action::Send),
            (Idle, StartOffline) => (Waiting, Action::Nothing),
            (Idle | Connecting | Open | Waiting, Close) | (Connecting | Open | Waiting, GiveUp) => {
                (Closed, Action::Close)
            }
            (Connecting, Accepted) => (Open, Action::Open),
            (Connecting, Redirected) => (Connecting, Action::Follow),
            (Connecting | Open, Lost) => (Waiting, Action::Wait),
            (Open, Reconnect) => (Connecting, Action::Replace),
            // An input that comes too late, too early or twice changes nothing.
            (Idle, Accepted | Redirected | Lost | Due | Reconnect | GiveUp)
            | (Connecting, Start | StartOffline | Due | Reconnect)
            | (Open, Start | StartOffline | Accepted | Redirected | Due)
            | (Waiting, Start | StartOffline | Accepted | Redirected | Lost)
            | (
                Closed,
                Start | StartOffline | Accepted | Redirected | Lost | Due | Reconnect | GiveUp
                | Close,
            ) => (self, Action::Nothing),
        }
    }
}
