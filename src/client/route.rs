//! Where a connection goes: from the first URL over redirects, with or without credentials.
//!
//! Stricter than browsers: text that two parsers may read differently (control characters,
//! backslashes, user names) is refused. A URL that is one origin here and another one in the HTTP
//! client would send credentials astray.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// The longest URL that a redirect may lead to.
const MAX_LEN: usize = 8 << 10;

/// The first URL, where each connection starts, and where this connection has got to.
pub(super) struct Route {
    first: Box<str>,
    /// The URL after redirects.
    current: Option<Box<str>>,
    redirects: u8,
    /// All URLs so far are of the first one's origin.
    is_same_origin: bool,
    /// A redirect has turned the method into GET.
    is_get: bool,
}

impl Route {
    pub(super) fn new(url: &str) -> Self {
        Self {
            first: url.into(),
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
        self.current = None;
        self.redirects = 0;
        self.is_same_origin = true;
        self.is_get = false;
    }

    /// The HTTP client has come to this URL by itself. That is none of the redirects that are
    /// counted here, and takes back none of them.
    pub(super) fn arrive(&mut self, url: Box<str>) {
        self.is_same_origin &= is_same_origin(&self.first, &url);
        self.current = Some(url);
    }

    /// Goes where a redirect leads, and returns whether that is an `http` or `https` URL.
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
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.find(['?', '#']).map_or(self.0.len(), |at| at + 1);
        let (shown, hidden) = self.0.split_at(end);
        let (scheme, rest) = shown.split_at(shown.find("//").map_or(0, |at| at + 2));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let more = if hidden.is_empty() { "" } else { "..." };
        fmt::Debug::fmt(&format!("{scheme}{host}{path}{more}"), f)
    }
}

/// Resolves a `Location` against the URL that answered with it (RFC 3986, 5.2), without a fragment.
/// `None` if the result is no `http` or `https` URL.
fn resolve(base: &str, location: &str) -> Option<String> {
    let is_refused = |byte: u8| byte <= b' ' || byte == 0x7F || byte == b'\\';
    if location.bytes().any(is_refused) {
        return None;
    }
    let location = without_fragment(location);
    let resolved = if scheme(location).is_some() {
        Url::of(location)?.join(None)
    } else {
        let base = Url::of(without_fragment(base))?;
        if let Some(rest) = location.strip_prefix("//") {
            let (authority, path) = split_authority(rest);
            Url {
                authority,
                path,
                ..base
            }
            .join(None)
        } else {
            base.join(Some(location))
        }
    };
    Url::of(&resolved)?.origin()?;
    (resolved.len() <= MAX_LEN).then_some(resolved)
}

/// Whether two URLs have the same scheme, host and port. A URL that is not understood has no
/// origin.
fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url| Url::of(url)?.origin();
    match (origin(one), origin(other)) {
        (Some(one), Some(other)) => {
            one.0 == other.0 && one.1.eq_ignore_ascii_case(other.1) && one.2 == other.2
        }
        _ => false,
    }
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

    /// Scheme, host and port; `None` where the authority is odd.
    fn origin(&self) -> Option<(bool, &'a str, u16)> {
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
        (!host.is_empty()).then_some((self.is_secure, host, port))
    }

    /// The URL as a text, with another path, if one is given.
    fn join(&self, relative: Option<&str>) -> String {
        let (base_path, base_query) = split_query(self.path);
        let (path, query) = match relative.map(split_query) {
            None => (remove_dots(base_path), base_query),
            // > if (R.path == "") then T.path = Base.path
            Some(("", query)) => (
                remove_dots(base_path),
                if query.is_empty() { base_query } else { query },
            ),
            Some((path, query)) if path.starts_with('/') => (remove_dots(path), query),
            Some((path, query)) => {
                let folder = base_path
                    .rfind('/')
                    .map_or("/", |slash| &base_path[..=slash]);
                (remove_dots(&format!("{folder}{path}")), query)
            }
        };
        let scheme = if self.is_secure { "https" } else { "http" };
        let mut url = format!("{scheme}://{}", self.authority);
        for character in path.chars().chain(query.chars()) {
            if character.is_ascii() {
                url.push(character);
            } else {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    // A `String` takes all that is written to it.
                    let _ = write!(url, "%{byte:02X}");
                }
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

/// Splits what follows `//` where the authority ends.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// Splits before the question mark.
fn split_query(path: &str) -> (&str, &str) {
    path.split_at(path.find('?').unwrap_or(path.len()))
}

/// RFC 3986, 5.2.4, of a path that is absolute or empty.
fn remove_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if segment == ".." {
            kept.pop();
        } else if segment != "." {
            kept.push(segment);
            continue;
        }
        if is_last {
            kept.push("");
        }
    }
    let mut path = String::new();
    for segment in kept {
        path.push('/');
        path.push_str(segment);
    }
    path
}
