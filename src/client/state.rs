//! The states of a reconnecting client, and every transition between them.

/// Where an [`EventSource`](super::EventSource) is in its life.
///
/// The standard's `readyState` is `CONNECTING` for the first, second and fourth, `OPEN` for the third, and `CLOSED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not started.
    Idle,
    /// A request is to be sent, or its response has not come.
    Connecting,
    /// The response is an event stream, whose bytes are read.
    Open,
    /// Between two requests: until the retry, or until the network is back.
    Waiting,
    /// Ended for good; the reason is [`closed`](super::EventSource::closed).
    Closed,
}

/// What moves a client on. Bytes move nothing: only an open stream takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The caller starts it.
    Start,
    /// The caller starts it while there is no network.
    StartOffline,
    /// The response is an event stream.
    Accepted,
    /// The response names another URL.
    Redirected,
    /// The request or the stream is lost, and may be repeated.
    Lost,
    /// The network is lost.
    NetworkLost,
    /// The time of the retry has come.
    Due,
    /// The caller wants a new connection now.
    Reconnect,
    /// It must not go on: refused, exhausted, or not to be repeated.
    GiveUp,
    /// The caller closes it.
    Close,
}

/// What a transition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// A request.
    Send,
    /// Another request for the same connection.
    Follow,
    /// The stream is open.
    Open,
    /// The connection is let go of, and the next one is waited for.
    GoDown,
    /// The connection is let go of, and the next request sent.
    Replace,
    /// The connection, if there is one, is let go of for good.
    Close,
}

impl State {
    /// The whole life of a client:
    ///
    /// - a request is sent from `Idle` and `Waiting` alone, where nothing is open, and where an open one is replaced;
    /// - a loss leads to `Waiting`, from where limits may lead on to `Closed`;
    /// - nothing leaves `Closed`.
    #[must_use]
    pub(super) const fn next(self, input: Input) -> (Self, Effect) {
        use Input::{
            Accepted, Close, Due, GiveUp, Lost, NetworkLost, Reconnect, Redirected, Start,
            StartOffline,
        };
        use State::{Closed, Connecting, Idle, Open, Waiting};
        match (self, input) {
            (Idle, Start) | (Waiting, Due | Reconnect) => (Connecting, Effect::Send),
            (Idle, StartOffline) => (Waiting, Effect::None),
            (Idle | Connecting | Open | Waiting, Close) | (Connecting | Open | Waiting, GiveUp) => {
                (Closed, Effect::Close)
            }
            (Connecting, Accepted) => (Open, Effect::Open),
            (Connecting, Redirected) => (Connecting, Effect::Follow),
            (Connecting | Open, Lost | NetworkLost) => (Waiting, Effect::GoDown),
            (Open, Reconnect) => (Connecting, Effect::Replace),
            // What comes too late, too early or twice changes nothing.
            (Idle, Accepted | Redirected | Lost | NetworkLost | Due | Reconnect | GiveUp)
            | (Connecting, Start | StartOffline | Due | Reconnect)
            | (Open, Start | StartOffline | Accepted | Redirected | Due)
            | (Waiting, Start | StartOffline | Accepted | Redirected | Lost | NetworkLost)
            | (
                Closed,
                Start | StartOffline | Accepted | Redirected | Lost | NetworkLost | Due | Reconnect
                | GiveUp | Close,
            ) => (self, Effect::None),
        }
    }
}
