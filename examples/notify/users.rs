//! The users and their tokens. This file stands for your database and your login.

use std::collections::HashMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use tokio::sync::watch;

use crate::Hub;

pub(crate) struct User {
    pub(crate) name: &'static str,
    /// What the user's streams receive, the user's own topic first. They never take topics from a
    /// request.
    pub(crate) topics: [String; 3],
    pub(crate) is_sent_away: watch::Sender<bool>,
    may_notify: bool,
}

impl User {
    /// Checks that the user may notify others: otherwise 403.
    pub(crate) fn check_right(&self) -> Result<(), StatusCode> {
        let may_notify = self.may_notify && !*self.is_sent_away.borrow();
        may_notify.then_some(()).ok_or(StatusCode::FORBIDDEN)
    }
}

/// The user whose token a request has: otherwise 401.
///
/// An `EventSource` can't set headers. It sends the cookie, which scripts can't read. A token in the
/// URL is for clients without cookies: it ends up in the logs of servers and proxies.
impl FromRequestParts<&'static Hub> for &'static User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, hub: &&'static Hub) -> Result<Self, StatusCode> {
        let cookies = parts.headers.get(header::COOKIE).map(HeaderValue::to_str);
        let cookie = value(cookies.and_then(Result::ok), "token");
        let token = parameter(&parts.uri, "token").or(cookie);
        let user = token.and_then(|token| hub.users.get(token));
        user.ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// The users by their tokens.
pub(crate) type Users = HashMap<String, User>;

/// Draws a token for each user. Tokens of your own expire; these are valid until the server ends.
pub(crate) fn by_token() -> Users {
    let random = || getrandom::u64().expect("the system has random numbers");
    let user = |(name, team, may_notify)| {
        let user = User {
            name,
            topics: [format!("user/{name}"), format!("team/{team}"), "all".into()],
            is_sent_away: watch::Sender::new(false),
            may_notify,
        };
        (format!("{:016x}{:016x}", random(), random()), user)
    };
    let (ann, bob) = (("ann", "red", true), ("bob", "red", false));
    [ann, bob, ("carol", "blue", false)].map(user).into()
}

/// Returns the user whom the query names, and the user's token.
pub(crate) fn named<'a>(users: &'a Users, uri: &Uri) -> Option<(&'a String, &'a User)> {
    let name = parameter(uri, "user")?;
    users.iter().find(|(_, user)| user.name == name)
}

pub(crate) fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    value(uri.query(), name)
}

/// Finds a value in a query or in cookies. The values that are used here have no escapes.
fn value<'a>(pairs: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = pairs?.split(['&', ';']).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
