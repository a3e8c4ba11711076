//! The route of a connection: its first URL, its redirects, and whether credentials may be sent.
//!
//! It is stricter than browsers: it refuses text that two parsers may read differently (control
//! characters, backslashes, user names). If this code and the HTTP client read different origins
//! from the same URL, credentials would be sent to the wrong server.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::mem;

/// The longest URL that a redirect may lead to.
const MAX_LEN: usize = 8 << 10;

/// The first URL, where each connection starts, and the current URL of this connection.
pub(super) struct Route {
    first: Box<str>,
    /// The URL after redirects.
    current: Option<Box<str>>,
    redirects: u8,
    /// True if all URLs so far have the origin of the first URL.
    is_same_origin: bool,
    /// True if a redirect has changed the method to GET.
    is_get: bool,
}

impl Route {
    pub(super) const fn new(url: Box<str>) -> Self {
        Self {
            first: url,
            current: None,
            redirects: 0,
            is_same_origin: true,
            is_get: false,
        }
    }

    pub(super) fn url(&self) -> &str {
        self.current.as_deref().unwrap_or(&self.first)
    }

    pub(super) const fn redirects(&self) -> u8 {
        self.redirects
    }

    pub(super) const fn is_same_origin(&self) -> bool {
        self.is_same_origin
    }

    pub(super) const fn is_get(&self) -> bool {
        self.is_get
    }

    /// Goes back to the first URL, for the next connection.
    pub(super) fn restart(&mut self) {
        *self = Self::new(mem::take(&mut self.first));
    }

    /// Sets the current URL. Does not count a redirect, because the HTTP client may have followed
    /// it.
    pub(super) fn arrive(&mut self, url: Box<str>) {
        self.is_same_origin &= is_same_origin(&self.first, &url);
        self.current = Some(url);
    }

    /// Follows a redirect. Returns whether its target is an `http` or `https` URL.
    pub(super) fn follow(&mut self, location: Option<&str>, is_get: bool) -> bool {
        let Some(url) = location.and_then(|location| resolve(self.url(), location)) else {
            return false;
        };
        self.arrive(url.into());
        self.redirects = self.redirects.saturating_add(1);
        self.is_get |= is_get;
        true
    }
}

/// A URL, or a part of one, as logs may show it: without user information, and with three dots for
/// the query and the fragment.
///
/// This hides what any parser could take for user information, also in a text that is no URL: the
/// scheme, the slashes and the host may be odd, and control characters may be anywhere.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // > Remove all ASCII tab or newline from input. (WHATWG URL)
        let text = self.0.replace(['\t', '\n', '\r'], "");
        let text = text.trim_matches(|c| c <= ' ');
        let (shown, hidden) = text.split_at(text.find(['?', '#']).map_or(text.len(), |at| at + 1));
        let is_slash = |c| c == '/' || c == '\\';
        let is_http = |scheme: &&str| {
            let is = |name| scheme.eq_ignore_ascii_case(name);
            is("http") || is("https") || shown[scheme.len() + 1..].starts_with(is_slash)
        };
        // A name of a user is no scheme.
        let scheme = scheme(shown)
            .filter(is_http)
            .map_or(0, |scheme| scheme.len() + 1);
        let slashes = shown[scheme..].trim_start_matches(is_slash);
        let (prefix, rest) = shown.split_at(shown.len() - slashes.len());
        let (authority, path) = split_authority(rest);
        let host_at = authority.rfind('@').map_or(0, |at| at + 1);
        let host = &authority[host_at..];
        // A colon before an at sign is a password, unless a port comes between.
        let is_ip = host.starts_with('[');
        let port_at = host.rfind(']').filter(|_| is_ip).unwrap_or(0);
        let port = host[port_at..]
            .split_once(':')
            .map_or("0", |(_, port)| port);
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let has_password = |path: &str| {
            path.split_once(':')
                .is_some_and(|(_, rest)| rest.contains('@'))
        };
        let is_odd = !is_port || has_password(path);
        if is_odd {
            return fmt::Debug::fmt(&format!("{prefix}..."), f);
        }
        let more = if hidden.is_empty() { "" } else { "..." };
        fmt::Debug::fmt(&format!("{prefix}{host}{path}{more}"), f)
    }
}

/// Resolves a `Location` against the URL of its response (RFC 3986, 5.2). Removes the fragment.
/// Returns `None` if the result is not an `http` or `https` URL, is too long, or may be ambiguous.
fn resolve(base: &str, location: &str) -> Option<String> {
    let is_refused = |byte: u8| byte <= b' ' || byte == 0x7F || byte == b'\\';
    if location.bytes().any(is_refused) {
        return None;
    }
    if location.starts_with("//") {
        return resolve(base, &format!("{}:{location}", scheme(base)?));
    }
    let location = without_fragment(location);
    let resolved = match scheme(location) {
        Some(_) => Url::of(location)?.join(""),
        None => Url::of(without_fragment(base))?.join(location),
    };
    Url::of(&resolved)?.origin()?;
    (resolved.len() <= MAX_LEN).then_some(resolved)
}

/// Returns whether two URLs have the same scheme, host and port. A URL that this code cannot parse
/// has no origin, so it equals no other.
fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url| Url::of(url)?.origin();
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

/// The parts of an `http` or `https` URL.
#[derive(Clone, Copy)]
struct Url<'a> {
    is_secure: bool,
    authority: &'a str,
    /// With the query.
    path: &'a str,
}

impl<'a> Url<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let scheme = scheme(url)?;
        let is_secure = scheme.eq_ignore_ascii_case("https");
        if !is_secure && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let rest = url[scheme.len() + 1..].strip_prefix("//")?;
        let (authority, path) = split_authority(rest);
        Some(Self {
            is_secure,
            authority,
            path,
        })
    }

    /// Returns whether the scheme is `https`, the host in lower case, and the port. Returns `None`
    /// if the authority is malformed, is not ASCII, or has user information or a percent sign.
    fn origin(&self) -> Option<(bool, String, u16)> {
        let authority = self.authority;
        if authority.contains(['@', '\\', '%']) || !authority.is_ascii() {
            return None;
        }
        let default = if self.is_secure { 443 } else { 80 };
        let port_at = match authority.strip_prefix('[') {
            Some(rest) => rest.find(']')? + 2,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at_checked(port_at)?;
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => default,
            Some("") => default,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            _ => return None,
        };
        (!host.is_empty()).then(|| (self.is_secure, host.to_ascii_lowercase(), port))
    }

    /// Resolves a relative reference against this URL. An empty reference is this URL itself.
    fn join(&self, relative: &str) -> String {
        let (base_path, base_query) = split_query(self.path);
        let (path, query) = split_query(relative);
        let path = if path.is_empty() {
            // > if (R.path == "") then T.path = Base.path
            remove_dots(base_path)
        } else if path.starts_with('/') {
            remove_dots(path)
        } else {
            let folder = base_path
                .rfind('/')
                .map_or("/", |slash| &base_path[..=slash]);
            remove_dots(&format!("{folder}{path}"))
        };
        let query = if relative.is_empty() {
            base_query
        } else {
            query
        };
        let scheme = if self.is_secure { "https" } else { "http" };
        let mut url = format!("{scheme}://{}", self.authority);
        for byte in path.bytes().chain(query.bytes()) {
            if byte.is_ascii() {
                url.push(char::from(byte));
            } else {
                // Writing to a `String` never fails.
                let _ = write!(url, "%{byte:02X}");
            }
        }
        url
    }
}

fn scheme(url: &str) -> Option<&str> {
    let scheme = &url[..url.find(':')?];
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(scheme)
}

fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}

/// Splits the text after `//` at the end of the authority.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// Splits before the question mark.
fn split_query(path: &str) -> (&str, &str) {
    path.split_at(path.find('?').unwrap_or(path.len()))
}

/// Removes the segments `.` and `..` of a path that is absolute or empty (RFC 3986, 5.2.4).
fn remove_dots(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}
