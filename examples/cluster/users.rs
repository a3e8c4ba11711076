//! The users, their tokens, rights and rates. This file stands for your database and your login.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

/// A user may publish this many events per second on each node, and as many at once as `BURST`.
const RATE: f64 = 10.0;
const BURST: f64 = 20.0;

pub(crate) struct User {
    pub(crate) name: String,
    /// The topics of the user's streams. They never come from a request.
    pub(crate) receives: Vec<String>,
    pub(crate) publishes: Vec<String>,
    budget: Mutex<(f64, Instant)>,
}

impl User {
    /// Takes one publication from what the user may publish now: otherwise 429.
    pub(crate) fn check_rate(&self) -> Result<(), StatusCode> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = *budget;
        let left = (left + at.elapsed().as_secs_f64() * RATE).min(BURST);
        if left < 1.0 {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        *budget = (left - 1.0, Instant::now());
        Ok(())
    }

    /// Checks that the user may publish to a topic: otherwise 403, whether there is such a topic or
    /// not.
    pub(crate) fn check_right(&self, topic: &str) -> Result<(), StatusCode> {
        let may_publish = self.publishes.iter().any(|one| one == topic);
        may_publish.then_some(()).ok_or(StatusCode::FORBIDDEN)
    }
}

/// All users, by token.
pub(crate) struct Users(HashMap<String, User>);

impl Users {
    /// Reads users from lines of four columns; `None` if a line has others.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let users = lines.filter(|line| !line.trim().is_empty()).map(|line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            let [token, name, receives, publishes] = columns[..] else {
                return None;
            };
            let topics = |list: &str| {
                let topics = list.split(',').filter(|topic| *topic != "-");
                topics.map(str::to_owned).collect()
            };
            let user = User {
                name: name.to_owned(),
                receives: topics(receives),
                publishes: topics(publishes),
                budget: Mutex::new((BURST, Instant::now())),
            };
            Some((token.to_owned(), user))
        });
        Some(Self(users.collect::<Option<_>>()?))
    }

    /// Returns the user whose token this is: otherwise 401.
    pub(crate) fn with_token(&self, token: &str) -> Result<&User, StatusCode> {
        self.0.get(token).ok_or(StatusCode::UNAUTHORIZED)
    }

    /// Returns the user whose token a request has: otherwise 401.
    ///
    /// Programs send `Authorization: Bearer TOKEN`. An `EventSource` can't set headers. It sends the
    /// cookie. A token in the URL would end up in the logs of proxies.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Result<&User, StatusCode> {
        let text = |name| headers.get(name).map(HeaderValue::to_str)?.ok();
        let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let mut cookies = text(header::COOKIE).unwrap_or_default().split(';');
        let cookie = cookies.find_map(|pair| pair.trim().strip_prefix("token="));
        self.with_token(bearer.or(cookie).unwrap_or_default())
    }
}
