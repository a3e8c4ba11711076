//! Requests that get no event stream, and no event.

use crate::support::{Request, Server, each};

#[test]
fn each_runtime_says_what_is_wrong_with_a_request() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        let status = |request: Request| request.send(server.address).status;
        assert_eq!(status(Request::post("/echo", b"\xff")), 400);
        assert_eq!(
            status(Request::post("/echo", "a".repeat(16 * 1024 + 1))),
            413
        );
        assert_eq!(status(Request::get("/other")), 404);
        let now = server.stats();
        assert_eq!((now.open, now.published, now.ended), (0, 0, 0));
    });
}
