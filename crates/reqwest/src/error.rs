//! `Error`, for a request that can't become a stream.

use std::fmt;

/// A request can't become a stream of events.
///
/// # Examples
///
/// ```
/// use sse_proto_reqwest::{Error, EventSource};
///
/// let error = EventSource::new(reqwest::Client::new().get("no url")).unwrap_err();
/// assert!(matches!(error, Error::Request(_)));
/// assert_eq!(error.to_string(), "the request is malformed");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// reqwest could not make the request, for example because its URL is malformed.
    Request(reqwest::Error),
    /// The body is a stream, which can't be sent again for another attempt. A redirect asks for it
    /// too, so this also holds for a request that is sent once.
    Body,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(_) => "the request is malformed",
            Self::Body => "the body of the request can't be sent again",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Body => None,
        }
    }
}
