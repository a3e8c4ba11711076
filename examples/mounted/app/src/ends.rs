//! Why the last streams ended.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sse_proto::target::CloseReason;

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server shut down.
    Shutdown,
    /// The client read too slowly.
    Lagged,
    /// The client went away.
    ClientGone,
}

impl From<Option<CloseReason>> for End {
    /// A stream that is dropped before its end has lost its client.
    fn from(reason: Option<CloseReason>) -> Self {
        match reason {
            None => Self::ClientGone,
            Some(CloseReason::Overflow) => Self::Lagged,
            Some(_) => Self::Shutdown,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shutdown => "shutdown",
            Self::Lagged => "lagged",
            Self::ClientGone => "client gone",
        })
    }
}

/// How many ends are remembered.
const REMEMBERED: usize = 32;

/// The last ends, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: VecDeque<End>,
    total: u64,
}

impl Ends {
    pub(crate) fn add(&self, end: End) {
        let mut state = self.lock();
        if state.last.len() == REMEMBERED {
            state.last.pop_front();
        }
        state.last.push_back(end);
        state.total += 1;
    }

    /// Writes members of a JSON object.
    pub(crate) fn write(&self, json: &mut String) -> fmt::Result {
        let state = self.lock();
        write!(json, r#""ended": {}, "last_ends": ["#, state.total)?;
        for (index, end) in state.last.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(json, r#"{comma}"{end}""#)?;
        }
        json.push(']');
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
