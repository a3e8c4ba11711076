//! What a user sees of the example, in Chromium.

use std::env;
use std::path::Path;

use crate::support::{Browser, Proxy, Row, Scheme, Seen, Server, Tail};

/// Names a folder; the page is saved there as it looks in light and in dark.
const SCREENSHOTS: &str = "SSE_PROTO_SCREENSHOTS";

const MARKUP: &str = r#"<img src=x onerror="document.title = 'injected'"><b>&amp;</b>"#;

#[tokio::test]
async fn the_page_opens_and_the_metrics_arrive() {
    let server = Server::start();
    let page = Browser::open(&server).await;
    let opened = page.until("open", |seen| seen.state == "open").await;
    assert!(opened.title.starts_with("open"), "{}", opened.title);
    let first = page.until("metrics", has_metrics).await;
    let more = page.until("more of them", |seen| {
        has_metrics(seen) && seen.rows.len() >= first.rows.len() + 6
    });
    let more = more.await;

    assert!(more.rows.iter().all(|row| row.shown), "{more:#?}");
    assert_eq!(more.rows[0].event_type, "hello");
    let ids = more.rows.iter().skip(1).map(number);
    assert!(ids.clone().zip(ids.skip(1)).all(|(a, b)| a + 1 == b));
    assert_eq!(more.rows.last().map(|row| &row.id), Some(&more.last));
    assert_eq!(more.events, more.rows.len() as u64);
    assert!(more.readings[0].ends_with("% of all"), "{more:#?}");
    assert!(more.readings[1].ends_with('%'), "{more:#?}");
    assert!(more.readings[2].contains("core"), "{more:#?}");
    // One for each core, the memory, and the load.
    assert!(more.plots >= 3, "{more:#?}");
    assert_eq!(page.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_line_of_standard_input_is_one_event_and_stays_text() {
    let mut server = Server::start();
    let page = Browser::open(&server).await;
    page.until("open", |seen| seen.state == "open").await;
    let lines = [
        ("plain", "plain"),
        (MARKUP, MARKUP),
        ("10 %\r20 %", "10 %\u{23ce}\n20 %"),
        ("\rdata: 1\rid: 9", "\u{23ce}\ndata: 1\u{23ce}\nid: 9"),
        ("event: bye", "event: bye"),
        (
            "null \0, escape \x1b, \u{202e}turned",
            "null ^@, escape ^[, <U+202E>turned",
        ),
        ("the last", "the last"),
    ];
    for (line, _) in lines {
        server.write(line);
        server.write("\n");
    }
    let seen = page.until("all lines", |seen| {
        let last = seen.rows_of("line").last().map(|row| row.data.as_str());
        last == Some("the last")
    });
    let seen = seen.await;

    let rows = seen.rows_of("line");
    let shown: Vec<&str> = rows.iter().map(|row| row.data.as_str()).collect();
    assert_eq!(shown, lines.map(|(_, shown)| shown));
    assert!(rows.iter().all(|row| row.shown && row.elements == 0));
    let ids = rows.iter().map(|row| number(row));
    assert!(ids.clone().zip(ids.skip(1)).all(|(a, b)| a < b));
    assert_eq!(seen.images, 0);
    assert_eq!(seen.rows_of("bye").len(), 0);
    // Later on, when an image would have failed to load.
    let later = page.until("more events", |later| later.events > seen.events);
    assert!(!later.await.title.contains("injected"));
    assert_eq!(page.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_page_that_is_opened_late_shows_what_the_server_has_kept() {
    let mut server = Server::start();
    server.write("one\ntwo\n");
    let mut tail = Tail::start(&server.address);
    tail.until(|events| {
        let readings = events.iter().filter(|event| event.event_type == "load");
        readings.count() >= 4
    });

    let page = Browser::open(&server).await;
    let seen = page.until("both lines", |seen| seen.rows_of("line").len() == 2);
    let seen = seen.await;
    let lines = seen.rows_of("line");
    assert_eq!([&lines[0].data, &lines[1].data], ["one", "two"]);
    // The first events that there were.
    assert_eq!([number(lines[0]), number(lines[1])], [1, 2]);
    let kept = |line: &String| line.ends_with("events from before this page was opened");
    assert!(seen.connection[0].iter().any(kept), "{seen:#?}");
    // There is a reading each second. All of them came at once, and each is where it belongs.
    let (first, last) = (seen.plotted[0], seen.plotted[seen.plotted.len() - 1]);
    assert!(seen.plotted.len() >= 4, "{seen:#?}");
    let seconds = f64::from(u32::try_from(seen.plotted.len() - 1).expect("a few"));
    assert!(last - first > seconds * 500.0, "{seen:#?}");
    assert_eq!(page.complaints().await, [""; 0]);

    server.write("three\n");
    let seen = page.until("the next line", |seen| seen.rows_of("line").len() == 3);
    assert_eq!(seen.await.rows_of("line")[2].data, "three");
}

#[tokio::test]
async fn after_a_restart_the_page_goes_on_and_tells_what_it_sent() {
    let server = Server::start();
    let page = Browser::open(&server).await;
    page.until("metrics", has_metrics).await;

    let server = server.kill();
    let lost = page.until("reconnecting, all events drawn", |seen| {
        seen.state == "reconnecting" && seen.rows.last().is_some_and(|row| row.id == seen.last)
    });
    let lost = lost.await;
    assert!(lost.says("Reconnecting"), "{lost:#?}");
    assert!(
        lost.says(&format!("with Last-Event-ID {}", lost.last)),
        "{lost:#?}"
    );
    // While nobody listens, it goes on trying.
    let tried = |seen: &Seen| seen.says("attempt 3");
    page.until("a third attempt", tried).await;

    let server = server.start_again();
    server.logged(&format!("connected, Last-Event-ID \"{}\"", lost.last));
    let received = format!("the server received Last-Event-ID {}", lost.last);
    let open = page.until("open, and greeted", |seen| {
        seen.state == "open" && seen.says(&received)
    });
    let open = open.await;
    assert!(open.says("the server was restarted"), "{open:#?}");
    assert_eq!(open.reconnections, "1");
    assert!(open.connection[0][0].starts_with("Open again after"));
    let goes_on = |seen: &Seen| seen.rows.len() >= open.rows.len() + 3;
    let later = page.until("more events", goes_on).await;
    assert_eq!(later.state, "open");
    assert_eq!(later.rows_of("hello").len(), 2);
}

#[tokio::test]
async fn the_button_ends_the_connection_and_makes_one_that_knows_the_last_event_id() {
    let server = Server::start();
    let page = Browser::open(&server).await;
    page.until("metrics", has_metrics).await;

    page.click("#toggle").await;
    let ended = page.until("ended, all events drawn", |seen| {
        seen.state == "ended" && seen.rows.last().is_some_and(|row| row.id == seen.last)
    });
    let ended = ended.await;
    server.logged("disconnected: the client is gone");

    page.click("#toggle").await;
    server.logged(&format!("connected, Last-Event-ID \"{}\"", ended.last));
    let received = format!("the server received Last-Event-ID {}", ended.last);
    let open = page.until("open, and greeted", |seen| {
        seen.state == "open" && seen.says(&received)
    });
    assert!(!open.await.says("the server was restarted"));
}

#[tokio::test]
async fn a_page_whose_connection_is_cut_misses_nothing_and_sees_nothing_twice() {
    let server = Server::start();
    let proxy = Proxy::to(&server.address);
    let page = Browser::open_at(&proxy.address).await;
    page.until("metrics", has_metrics).await;
    for times in 1..=3 {
        proxy.cut();
        let again = format!("{times}");
        let back = page.until("open again", |seen| {
            seen.state == "open" && seen.reconnections == again && seen.connection[0].len() > 2
        });
        let back = back.await;
        let entry = back.connection[0].join(", ");
        assert!(
            back.says("nothing was missed") || entry.contains("came late, none was lost"),
            "{back:#?}"
        );
        let goes_on = |seen: &Seen| seen.rows.len() >= back.rows.len() + 3;
        page.until("more events", goes_on).await;
    }
    let seen = page.until("all drawn", |seen| seen.events == seen.rows.len() as u64);
    let seen = seen.await;
    assert_eq!(seen.rows_of("hello").len(), 4);
    let numbers = seen.rows.iter().filter(|row| row.event_type != "hello");
    let numbers: Vec<u64> = numbers.map(number).collect();
    assert!(
        numbers.windows(2).all(|two| two[0] + 1 == two[1]),
        "{numbers:?}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_shows_the_farewell() {
    let mut server = Server::start();
    let page = Browser::open(&server).await;
    page.until("metrics", has_metrics).await;

    server.interrupt();
    let seen = page.until("the farewell", |seen| seen.rows_of("bye").len() == 1);
    let seen = seen.await;
    let bye = seen.rows.last().expect("a row");
    assert_eq!(
        (&*bye.event_type, &*bye.data, bye.shown),
        ("bye", "the server ends", true)
    );
    let farewell = "the server said: the server ends";
    let mut entries = seen.connection.iter().flatten();
    assert!(entries.any(|line| line == farewell), "{seen:#?}");
    page.until("reconnecting", |seen| seen.state == "reconnecting")
        .await;
    assert!(server.exit_status().success());
}

#[tokio::test]
async fn the_page_is_light_or_dark_as_the_user_prefers() {
    let mut server = Server::start();
    let page = Browser::open(&server).await;
    for (scheme, is) in [
        (
            Scheme::Light,
            (|text, ground| text < ground) as fn(u32, u32) -> bool,
        ),
        (Scheme::Dark, |text, ground| text > ground),
    ] {
        page.prefer(scheme).await;
        page.until(scheme.name(), |seen| {
            is(brightness(&seen.text), brightness(&seen.ground))
        })
        .await;
        if let Some(folder) = env::var_os(SCREENSHOTS) {
            server.write(&format!(
                "a line in {}\n{MARKUP}\n10 %\r20 %\n",
                scheme.name()
            ));
            // So that there is something in the plots.
            let before = page.until("open", |seen| seen.state == "open").await;
            let enough = |seen: &Seen| seen.events >= before.events + 45;
            page.until("a while of metrics", enough).await;
            let name = format!("{}.png", scheme.name());
            page.save(&Path::new(&folder).join(name)).await;
        }
    }
}

/// Some of each, and all drawn.
fn has_metrics(seen: &Seen) -> bool {
    let types = ["cpu", "memory", "load"];
    let each = types.iter().all(|metric| seen.rows_of(metric).len() >= 2);
    each && seen.events == seen.rows.len() as u64
}

/// The number in the event's ID, behind that of the server's run.
fn number(row: &Row) -> u64 {
    let (_, number) = row.id.split_once('-').expect("two numbers as id");
    number.parse().expect("a number")
}

/// Of a colour as CSS tells it: `rgb(1, 2, 3)`.
fn brightness(color: &str) -> u32 {
    let parts = color.split(|char: char| !char.is_ascii_digit());
    parts.filter_map(|part| part.parse::<u32>().ok()).sum()
}
