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
    redirected: Option<Redirected>,
}

struct Redirected {
    url: Box<str>,
    /// All URLs up to here are of the first one's origin.
    is_same_origin: bool,
    is_get: bool,
    redirects: u8,
}

/// Why a redirect is not followed.
#[derive(Clone, Copy)]
pub(super) enum DeadEnd {
    TooMany,
    Nowhere,
}

impl Route {
    pub(super) fn new(url: &str) -> Self {
        Self {
            first: url.into(),
            redirected: None,
        }
    }

    pub(super) fn url(&self) -> &str {
        match &self.redirected {
            Some(redirected) => &redirected.url,
            None => &self.first,
        }
    }

    pub(super) fn is_same_origin(&self) -> bool {
        let redirected = self.redirected.as_ref();
        redirected.is_none_or(|redirected| redirected.is_same_origin)
    }

    pub(super) fn is_get(&self) -> bool {
        let redirected = self.redirected.as_ref();
        redirected.is_some_and(|redirected| redirected.is_get)
    }

    /// Forgets the redirects.
    pub(super) fn restart(&mut self) {
        self.redirected = None;
    }

    /// The HTTP client has come to this URL by itself. That is none of the redirects that are
    /// counted here, and takes back none of them.
    pub(super) fn arrive(&mut self, url: Box<str>) {
        self.go(url, false, self.redirects());
    }

    /// Goes where a redirect leads.
    pub(super) fn follow(
        &mut self,
        location: Option<&str>,
        is_get: bool,
        max_redirects: u8,
    ) -> Result<(), DeadEnd> {
        let before = self.redirects();
        if before >= max_redirects {
            return Err(DeadEnd::TooMany);
        }
        let url = location.and_then(|location| resolve(self.url(), location));
        self.go(url.ok_or(DeadEnd::Nowhere)?.into(), is_get, before + 1);
        Ok(())
    }

    fn redirects(&self) -> u8 {
        let redirected = self.redirected.as_ref();
        redirected.map_or(0, |redirected| redirected.redirects)
    }

    fn go(&mut self, url: Box<str>, is_get: bool, redirects: u8) {
        self.redirected = Some(Redirected {
            is_same_origin: self.is_same_origin() && is_same_origin(&self.first, &url),
            is_get: self.is_get() || is_get,
            redirects,
            url,
        });
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
