//! The browser's own `EventSource`, on every runtime.

use crate::resume::{after_reset, assert_consecutive, assert_told, seed};
use crate::support::{EXAMPLES, HYPER_TOKIO, Page, Proxy, Server};

/// How often the connection is cut.
const CUTS: usize = 6;

/// All runtimes one after another, in one browser: to start one takes longer than this.
#[tokio::test]
async fn cut_and_told_of_a_restart_it_sees_what_was_sent_from_every_runtime() {
    let page = Page::open().await;
    for example in EXAMPLES {
        println!("{}", example.name);
        let server = Server::start(example, 10, 600);
        let proxy = Proxy::start(server.address, seed(example));
        page.listen(proxy.address).await;
        page.until("the stream is open", |seen| !seen.is_empty())
            .await;

        proxy.cuts(true);
        page.until("it was cut and came back", |_| proxy.cut() >= CUTS)
            .await;
        proxy.cuts(false);
        let count = page.seen().await.len();
        let seen = page.until("more events", |seen| seen.len() >= count + 50);
        assert_consecutive(&seen.await);

        let _server = server.killed_and_started_again();
        let seen = page.until("events of the next", |seen| after_reset(seen).len() >= 20);
        assert_told(&seen.await);
        page.close().await;
    }
}

#[tokio::test]
async fn the_stream_is_open_before_there_is_an_event_and_each_event_comes_while_it_is_idle() {
    let page = Page::open().await;
    for example in EXAMPLES {
        // Some learn that a client has gone from the next comment.
        let server = Server::start(example, 0, 1);
        page.listen(server.address).await;
        page.until_open().await;
        assert_eq!(page.seen().await, []);
        for (count, text) in (1..).zip(["{\"json\": \"😀\"}", "two\nlines\n", "\u{2028}"]) {
            server.echo(text);
            let seen = page.until("the event", |seen| seen.len() == count).await;
            assert_eq!(seen[count - 1].data, text);
            assert_eq!(seen[count - 1].event_type, "echo");
        }
        page.close().await;
        let stats = server.until_stats("the end of the stream", |stats| stats.open == 0);
        assert_eq!(stats.last_ends, ["client gone"]);
    }
}

#[tokio::test]
async fn the_browser_ends_and_the_server_learns_it() {
    let page = Page::open().await;
    let server = Server::start(HYPER_TOKIO, 0, 1);
    page.listen(server.address).await;
    page.until_open().await;
    drop(page);
    let stats = server.until_stats("the end of the stream", |stats| stats.open == 0);
    assert_eq!(stats.last_ends, ["client gone"]);
}
