//! The names that the server answers to.
//!
//! A page of any site can ask its browser for a name that resolves to this machine (DNS rebinding).
//! The browser takes the answer for one of the page's own site, so the page may read it. The `Host`
//! of such a request is the site's name.

use std::net::IpAddr;

use hyper::http::uri::Authority;
use hyper::{Request, StatusCode, Version, header};

/// The names that the server answers to, apart from those of the loopback interface.
pub(crate) struct Hosts {
    /// The host of the address that the server was told to listen on.
    told: String,
}

impl Hosts {
    /// Takes the address that the server was told to listen on: a host, a colon and a port.
    pub(crate) fn new(address: &str) -> Self {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        Self { told: host.into() }
    }

    /// Checks the host of a request that came in at the address `local`. The port is not checked,
    /// because it may be forwarded from another one.
    ///
    /// # Errors
    ///
    /// 421 if the server does not answer to this name, 400 if there is no name or not one name.
    pub(crate) fn check<B>(&self, request: &Request<B>, local: IpAddr) -> Result<(), StatusCode> {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let authority = match (headers.next(), headers.next()) {
            // A browser always sends a host.
            (None, _) if request.version() == Version::HTTP_10 => return Ok(()),
            (Some(one), None) => Authority::try_from(one.as_bytes()),
            _ => return Err(StatusCode::BAD_REQUEST),
        };
        let authority = authority.map_err(|_| StatusCode::BAD_REQUEST)?;
        // If the request's target is a whole URL, its host counts.
        let host = request.uri().host().unwrap_or(authority.host());
        if self.is_here(host, local) {
            Ok(())
        } else {
            Err(StatusCode::MISDIRECTED_REQUEST)
        }
    }

    fn is_here(&self, host: &str, local: IpAddr) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_local = |ip: IpAddr| {
            let ip = ip.to_canonical();
            // A server that listens on all addresses was told to listen on this one, too.
            ip.is_loopback() || ip == local.to_canonical()
        };
        host.eq_ignore_ascii_case("localhost")
            || host.eq_ignore_ascii_case(&self.told)
            || bare.parse().is_ok_and(is_local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the status of a refusal.
    fn refused(told: &str, local: &str, version: Version, hosts: &[&str]) -> Option<u16> {
        let mut request = Request::builder().version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let request = request.body(()).expect("a request");
        let checked = Hosts::new(told).check(&request, local.parse().expect("an IP address"));
        checked.err().map(|status| status.as_u16())
    }

    #[test]
    fn the_names_of_the_loopback_interface_and_the_address_that_was_told_are_answered() {
        let one = |told, local, host| refused(told, local, Version::HTTP_11, &[host]);
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:8000",
            "127.9.9.9",
            "[::1]:1",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(one("127.0.0.1:8000", "127.0.0.1", host), None, "{host}");
            assert_eq!(one("0.0.0.0:8000", "10.0.0.7", host), None, "{host}");
        }
        assert_eq!(
            one("machine.example:80", "10.0.0.7", "Machine.Example"),
            None
        );
        assert_eq!(one("0.0.0.0:80", "10.0.0.7", "10.0.0.7"), None);
        assert_eq!(one("[::]:80", "::ffff:10.0.0.7", "10.0.0.7:80"), None);
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8000",
            "localhost@evil.example",
            "10.0.0.8",
            "2130706433",
        ] {
            assert_eq!(one("0.0.0.0:80", "10.0.0.7", host), Some(421), "{host}");
        }
    }

    #[test]
    fn a_request_has_one_host_unless_it_is_of_http_1_0() {
        let refused = |version, hosts| refused("127.0.0.1:80", "127.0.0.1", version, hosts);
        assert_eq!(refused(Version::HTTP_10, &[]), None);
        assert_eq!(refused(Version::HTTP_10, &["evil.example"]), Some(421));
        assert_eq!(refused(Version::HTTP_11, &[]), Some(400));
        assert_eq!(refused(Version::HTTP_11, &[""]), Some(400));
        let twice = &["localhost", "evil.example"];
        assert_eq!(refused(Version::HTTP_11, twice), Some(400));
    }
}
