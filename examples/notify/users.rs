//! The users and their tokens. This file stands for your database and your login.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio::sync::watch;

pub(crate) struct User {
    pub(crate) name: &'static str,
    /// What the user's streams receive, the user's own topic first. They never take topics from a
    /// request.
    pub(crate) topics: [&'static str; 3],
    pub(crate) is_sent_away: watch::Sender<bool>,
    may_notify: bool,
}

/// All users, by token. Tokens of your own expire; these are valid until the server ends.
pub(crate) struct Users(HashMap<String, User>);

impl Users {
    /// Draws a token for each user.
    pub(crate) fn new() -> Self {
        let random = || getrandom::u64().expect("the system has random numbers");
        let user = |name, topics, may_notify| {
            let user = User {
                name,
                topics,
                is_sent_away: watch::Sender::new(false),
                may_notify,
            };
            (format!("{:016x}{:016x}", random(), random()), user)
        };
        Self(HashMap::from([
            user("ann", ["user/ann", "team/red", "all"], true),
            user("bob", ["user/bob", "team/red", "all"], false),
            user("carol", ["user/carol", "team/blue", "all"], false),
        ]))
    }

    /// Returns the user whose token a request has: otherwise 401.
    ///
    /// An `EventSource` can't set headers. It sends the cookie, which scripts can't read. A token in
    /// the URL is for clients without cookies: it ends up in the logs of servers and proxies.
    pub(crate) fn of(&self, uri: &Uri, headers: &HeaderMap) -> Result<&User, StatusCode> {
        let cookies = headers.get(header::COOKIE).map(HeaderValue::to_str);
        let cookie = value(cookies.and_then(Result::ok), "token");
        let token = parameter(uri, "token").or(cookie);
        let user = token.and_then(|token| self.0.get(token));
        user.ok_or(StatusCode::UNAUTHORIZED)
    }

    /// Checks that the user of a request may notify others: otherwise 401 or 403.
    pub(crate) fn check_right(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), StatusCode> {
        let user = self.of(uri, headers)?;
        let may_notify = user.may_notify && !*user.is_sent_away.borrow();
        may_notify.then_some(()).ok_or(StatusCode::FORBIDDEN)
    }

    /// Returns the user whom the query names, and the user's token.
    pub(crate) fn named(&self, uri: &Uri) -> Option<(&str, &User)> {
        let name = parameter(uri, "user")?;
        let (token, user) = self.0.iter().find(|(_, user)| user.name == name)?;
        Some((token, user))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &User> {
        self.0.values()
    }
}

pub(crate) fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    value(uri.query(), name)
}

/// Finds a value in a query or in cookies. The values that are used here have no escapes.
fn value<'a>(pairs: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = pairs?.split(['&', ';']).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
