//! Where a connection goes: from the first URL, over redirects, with or without credentials.

use alloc::boxed::Box;

use super::reason::Cause;
use super::response::Response;
use super::url;

/// The first URL, where each connection begins, and where this one has got to.
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

    /// The HTTP client has come to this URL by itself. That is none of the redirects that are counted here, and takes back
    /// none of them.
    pub(super) fn arrive(&mut self, url: Box<str>) {
        self.go(url, false, self.redirects());
    }

    /// Goes where a redirect leads, or says what is wrong with the response.
    pub(super) fn follow(&mut self, response: &Response, most: u8) -> Result<(), Cause> {
        if response.status == 200 {
            return Err(Cause::ContentType);
        }
        if !response.is_redirect() {
            return Err(Cause::Status);
        }
        let before = self.redirects();
        if before >= most {
            return Err(Cause::Redirects);
        }
        let location = response.location.as_deref().ok_or(Cause::Location)?;
        let url = url::resolve(self.url(), location).ok_or(Cause::Location)?;
        self.go(url.into(), response.turns_to_get(), before + 1);
        Ok(())
    }

    fn redirects(&self) -> u8 {
        let redirected = self.redirected.as_ref();
        redirected.map_or(0, |redirected| redirected.redirects)
    }

    fn go(&mut self, url: Box<str>, is_get: bool, redirects: u8) {
        self.redirected = Some(Redirected {
            is_same_origin: self.is_same_origin() && url::is_same_origin(&self.first, &url),
            is_get: self.is_get() || is_get,
            redirects,
            url,
        });
    }
}
