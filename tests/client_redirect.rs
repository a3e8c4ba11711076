//! Redirects are followed by the machine, and credentials stay within the origin that they are for.

#![cfg(feature = "std")]

mod support;

use sse_proto::EventSource;
use sse_proto::client::{LossReason, Options, Output, Response};
use support::driver::{Driver, URL};

/// Where a redirect leads, and whether credentials may go along; `None` if it is rejected.
fn follow(url: &str, location: &str) -> Option<(String, bool)> {
    let mut driver = Driver::of(EventSource::with_seed(url, Options::standard(), 0));
    assert!(driver.request().may_have_credentials());
    driver.respond(Response::from_headers(
        307,
        [("location", location.as_bytes())],
    ));
    assert!(driver.aborts(), "the redirect's own body is not wanted");
    match driver.source.poll_output() {
        Some(Output::Request(request)) => {
            Some((request.url().to_owned(), request.may_have_credentials()))
        }
        Some(Output::Closed(loss)) => {
            assert_eq!(loss.reason, LossReason::Rejected(307));
            None
        }
        other => panic!("{other:?}"),
    }
}

fn leads_to(url: &str, location: &str) -> Option<String> {
    follow(url, location).map(|to| to.0)
}

#[test]
fn a_location_is_resolved_as_rfc_3986_says() {
    let base = "http://a/b/c/d;p?q";
    // Section 5.4.1 and 5.4.2, of what leads to HTTP; fragments are not sent.
    for (location, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"),
        (";x", "http://a/b/c/;x"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("http://a/\u{E4}?\u{20AC}", "http://a/%C3%A4?%E2%82%AC"),
        ("HTTPS://B:8443/x/../y", "https://B:8443/y"),
        // An authority ends at a query as well as at a path.
        ("//b.example?q", "http://b.example/?q"),
        ("//b.example?q/r", "http://b.example/?q/r"),
        ("http://b.example?q", "http://b.example/?q"),
        ("//b.example#s", "http://b.example/"),
    ] {
        assert_eq!(
            leads_to(base, location).as_deref(),
            Some(expected),
            "{location:?}"
        );
    }
}

#[test]
fn the_fragment_of_the_url_that_answers_is_no_part_of_its_path() {
    for (url, location, expected) in [
        ("https://a.example#f", "c", "https://a.example/c"),
        ("https://a.example#f", "?q", "https://a.example/?q"),
        (
            "https://a.example#f",
            "//b.example/c",
            "https://b.example/c",
        ),
        ("http://h/a#/b/", "c", "http://h/c"),
        ("http://h/a/#?b/", "c", "http://h/a/c"),
        ("http://h/a?b#/c/", "d", "http://h/d"),
        ("http://h/a?b#c", "#d", "http://h/a?b"),
    ] {
        let (led, may) = follow(url, location).expect("it is followed");
        assert_eq!(led, expected, "{url:?} {location:?}");
        // Nor of its host.
        assert_eq!(may, !expected.contains("b.example"), "{url:?} {location:?}");
    }
}

#[test]
fn what_is_no_http_url_or_may_be_read_in_two_ways_is_rejected() {
    for location in [
        "",
        "mailto:a@b",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:",
        "http:/b",
        "http:b",
        "http://",
        "http://:80/",
        "http://a b/",
        "http://a/\u{1}",
        "http://a/\u{7F}",
        "\u{7F}",
        "c?\u{7F}",
        "c#\u{7F}",
        "http://a\\@b/",
        "\\\\b\\c",
        "/a\\b",
        "http://user@b/",
        "http://user:pass@a/",
        "//user@b/",
        "http://b:x/",
        "http://b:99999/",
        "http://b:1:2/",
        "http://[::1/",
        "http://%61/",
        "http://\u{E4}/",
    ] {
        assert_eq!(follow("http://a/b", location), None, "{location:?}");
    }
    // A location without end, as it comes and as it becomes.
    let follow_long = |letter: &str, count| {
        let location = format!("/{}", letter.repeat(count));
        follow("http://a/b", &location).map(|to| to.0.len())
    };
    assert_eq!(follow_long("x", 8183), Some(8192));
    assert_eq!(follow_long("x", 8184), None);
    assert_eq!(follow_long("\u{E4}", 1363), Some(8187));
    assert_eq!(follow_long("\u{E4}", 1364), None);
    let too_long = Response::from_headers(302, [("location", "x".repeat(8193).as_bytes())]);
    let none = format!("{:?}", Response::new(302));
    assert_eq!(format!("{too_long:?}"), none, "it is not even kept");
}

#[test]
fn credentials_stay_within_the_origin() {
    let url = "https://a.example/events";
    for location in [
        "/b",
        "https://a.example/b",
        "https://A.EXAMPLE:443/b",
        "//a.example/b",
        "https://a.example:/b",
    ] {
        assert_eq!(
            follow(url, location).map(|to| to.1),
            Some(true),
            "{location:?}"
        );
    }
    for location in [
        "https://b.example/events",
        "http://a.example/events",
        // Another scheme on the same port.
        "http://a.example:443/events",
        "https://a.example:8443/events",
        "https://sub.a.example/events",
        "https://a.example.evil/events",
        "//evil/events",
        "https://[::1]/",
    ] {
        assert_eq!(
            follow(url, location).map(|to| to.1),
            Some(false),
            "{location:?}"
        );
    }
    // Without an origin that is known, there is none to stay within.
    assert_eq!(
        follow("/relative", "http://a/"),
        Some(("http://a/".into(), false))
    );
    assert_eq!(
        follow("http://[::1]:80/a", "//[::1]/b").map(|to| to.1),
        Some(true)
    );
}

#[test]
fn behind_another_origin_credentials_do_not_come_back_until_the_next_connection() {
    let mut driver = Driver::of(EventSource::with_seed(
        "http://a/events",
        Options::standard(),
        0,
    ));
    driver.request();
    for (location, may) in [
        ("http://a/1", true),
        ("http://b/2", false),
        ("http://a/3", false),
    ] {
        driver.respond(Response::from_headers(
            301,
            [("location", location.as_bytes())],
        ));
        assert!(driver.aborts());
        let request = driver.request();
        assert_eq!(
            (request.url(), request.may_have_credentials()),
            (location, may)
        );
        assert_eq!(driver.source.url(), location);
    }
    driver.source.handle_error(driver.now, "reset");
    driver.lost();
    driver.due();
    // Also after a permanent redirect.
    let request = driver.request();
    assert_eq!(
        (request.url(), request.may_have_credentials()),
        ("http://a/events", true)
    );
}

#[test]
fn a_redirect_turns_into_get_as_fetch_says() {
    for (method, status, is_get) in [
        ("POST", 301, true),
        ("POST", 302, true),
        ("POST", 303, true),
        ("POST", 307, false),
        ("POST", 308, false),
        ("PUT", 301, false),
        ("QUERY", 302, false),
        ("QUERY", 303, true),
        ("HEAD", 303, false),
    ] {
        let source = EventSource::with_seed(URL, Options::standard(), 0).with_method(method);
        let mut driver = Driver::of(source);
        assert_eq!(driver.request().method(), method);
        driver.respond(Response::from_headers(status, [("location", b"/b")]));
        assert!(driver.aborts());
        assert_eq!(driver.request().method() == "GET", is_get);
        driver.respond(Response::from_headers(307, [("location", b"/c")]));
        assert!(driver.aborts());
        assert_eq!(
            driver.request().method() == "GET",
            is_get,
            "for the rest of the way"
        );
    }
}

#[test]
fn redirects_are_limited() {
    fn redirect() -> Response {
        Response::from_headers(302, [("location", b"/again")])
    }
    // Also where the HTTP client tells each time where it is.
    let ways: [fn() -> Response; 2] = [redirect, || redirect().with_url(URL)];
    for redirect in ways {
        for most in [Some(0), Some(1), Some(20), None] {
            let mut options = Options::resilient();
            if let Some(most) = most {
                options = options.with_max_redirects(most);
            }
            let most = most.unwrap_or(5);
            let mut driver = Driver::new(options);
            driver.request();
            for _ in 0..most {
                driver.respond(redirect());
                assert!(driver.aborts());
                driver.request();
            }
            driver.respond(redirect());
            assert!(driver.aborts());
            assert!(matches!(
                driver.closed().reason,
                LossReason::TooManyRedirects(302)
            ));
        }
    }
}

#[test]
fn a_client_that_follows_by_itself_tells_where_it_came() {
    let mut driver = Driver::new(Options::standard());
    driver.request();
    let response = Response::from_headers(200, [("content-type", b"text/event-stream")]);
    driver.respond(response.with_url("https://elsewhere.example/stream"));
    assert!(matches!(driver.source.poll_output(), Some(Output::Opened)));
    assert_eq!(driver.source.url(), "https://elsewhere.example/stream");
    assert_eq!(driver.reopen().url(), URL);
}

#[test]
fn without_a_connection_the_url_is_the_first_again() {
    let mut driver = Driver::of(EventSource::with_seed("http://a/", Options::standard(), 0));
    driver.request();
    driver.respond(Response::from_headers(307, [("location", b"/b")]));
    assert!(driver.aborts());
    driver.request();
    assert_eq!(driver.source.url(), "http://a/b");
    driver.source.close();
    assert_eq!(driver.source.url(), "http://a/");
}

#[test]
fn a_first_url_that_is_not_understood_is_requested_and_leads_nowhere_with_credentials() {
    for url in [
        "http://user:pass@a/",
        "http://b\u{FC}cher.example/",
        "http://ho%73t/",
        "http://a\\b/",
        "http://a\\@b.example/",
        "http://b.example\\/",
    ] {
        assert_eq!(follow(url, "/b"), None, "{url:?}");
        let other = follow(url, "http://b.example/").expect("an absolute one is followed");
        assert!(!other.1, "{url:?}");
    }
}

#[test]
fn what_is_printed_for_a_log_has_no_user_information_and_no_query() {
    let url = "http://user:secret@a/p@th?token=secret#secret";
    let shows = |shown: &str, expected: &str| {
        assert!(shown.contains(expected), "{shown}");
        assert!(
            !shown.contains("secret") && !shown.contains("user"),
            "{shown}"
        );
    };
    let mut source = EventSource::with_seed(url, Options::standard(), 0);
    shows(&format!("{source:?}"), "\"http://a/p@th?...\"");
    source.start(std::time::Duration::ZERO);
    let output = source.poll_output();
    shows(&format!("{output:?}"), "\"http://a/p@th?...\"");
    let response =
        Response::from_headers(302, [("location", b"//user:secret@b?secret")]).with_url(url);
    shows(&format!("{response:?}"), "\"//b?...\"");
    let response = Response::from_headers(302, [("location", b"/a\x1b#secret")]);
    shows(&format!("{response:?}"), "\"/a\\u{1b}#...\"");
    let response = Response::from_headers(302, [("location", b"/a")]);
    assert!(format!("{response:?}").contains("Some(\"/a\")"));
}

#[test]
fn no_password_is_printed_that_any_parser_could_find() {
    let shown = |url: &str| {
        let source = EventSource::with_seed(url, Options::standard(), 0);
        let shown = format!("{source:?}");
        let (_, rest) = shown.split_once("url: \"").expect("it shows its URL");
        rest.split_once("\", last")
            .expect("it is quoted")
            .0
            .to_owned()
    };
    for (url, expected) in [
        ("https:///user:secret@host/p", "https:///host/p"),
        ("https://user:se]cret/w@host/p", "https://..."),
        ("https:/user:secret@host/p", "https:/host/p"),
        ("https:user:secret@host/p", "https:host/p"),
        ("https:////user:secret@host", "https:////host"),
        ("https:\\\\user:secret@host", "https:\\\\\\\\host"),
        ("https:/\\user:secret@host/p", "https:/\\\\host/p"),
        ("HTTPS://user:secret@HOST/p", "HTTPS://HOST/p"),
        ("hTtP:user:secret@host", "hTtP:host"),
        ("ht\ntps://us\ter:sec\rret@ho\nst/p", "https://host/p"),
        ("h\tttps:\t/\n/user:secret@host", "https://host"),
        (" \u{1}https://user:secret@host \u{0}", "https://host"),
        ("//user:secret@host/p", "//host/p"),
        ("\\\\user:secret@host", "\\\\\\\\host"),
        ("/user:secret@host", "/host"),
        ("user:secret@host/p", "host/p"),
        ("wss:user:secret@host", "host"),
        ("ftp://user:secret@host/p", "ftp://host/p"),
        ("https://user:secret@user:secret@host", "https://host"),
        ("https://us\\er:secret@host", "https://host"),
        ("https://user:sec ret@host", "https://host"),
        ("https://user:secret@[::1]:80/p", "https://[::1]:80/p"),
        // Whoever wrote these did not escape the password.
        ("https://user:secret/1@host", "https://..."),
        ("https://user:/secret@host", "https://..."),
        ("https://user:secret?1@host", "https://..."),
        ("https://user:secret#1@host", "https://..."),
        ("https://user:secret%40host", "https://..."),
        ("https//user:secret@host", "..."),
        ("//https://user:secret@host", "//..."),
        ("blob:https://user:secret@host", "..."),
        ("\u{FEFF}https://user:secret@host", "..."),
        // Nothing is hidden without need.
        ("https://host:8080/@user/p", "https://host:8080/@user/p"),
        ("https://host/a:b", "https://host/a:b"),
        ("localhost:8080/events", "localhost:8080/events"),
        ("https://[::1]/p", "https://[::1]/p"),
    ] {
        assert_eq!(shown(url), expected, "{url:?}");
    }
}

#[test]
fn of_several_locations_none_is_followed_unless_they_are_equal() {
    for (second, url) in [
        ("/b", Some("https://example.org/b")),
        ("/c", None),
        ("", None),
    ] {
        let mut driver = Driver::new(Options::standard());
        driver.request();
        let lines = [("location", "/b"), ("Location", second)];
        driver.respond(Response::from_headers(307, lines));
        assert!(driver.aborts());
        match url {
            Some(url) => assert_eq!(driver.request().url(), url),
            None => assert_eq!(driver.closed().reason, LossReason::Rejected(307)),
        }
    }
}
