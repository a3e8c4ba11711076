//! Event streams to decode, cut into chunks.

use std::fmt::Write as _;

use bytes::Bytes;

/// Repeats blocks until there are about so many bytes.
fn fill(bytes: usize, mut block: impl FnMut(&mut String, usize)) -> String {
    let mut stream = String::new();
    let mut count = 0;
    while stream.len() < bytes {
        block(&mut stream, count);
        count += 1;
    }
    stream
}

pub(crate) fn rows() -> Vec<(String, Vec<Bytes>)> {
    const MIB: usize = 1 << 20;
    let text = |len: usize| {
        "abcdefghijklmnopqrstuvwxyz 0123456789 {}"
            .chars()
            .cycle()
            .take(len)
            .collect::<String>()
    };
    let json = format!(
        "{{\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{}\"}}}}",
        text(68)
    );
    let line = text(80);
    let works: Vec<(&str, String)> = vec![
        (
            "delta",
            fill(MIB, |s, _| {
                write!(s, "event: content_block_delta\ndata: {json}\n\n").unwrap();
            }),
        ),
        (
            "tick",
            fill(MIB, |s, n| {
                write!(s, "id: {n}\ndata: {}\n\n", text(20)).unwrap();
            }),
        ),
        (
            "40x80 lf",
            fill(MIB, |s, _| {
                (0..40).for_each(|_| writeln!(s, "data: {line}").unwrap());
                s.push('\n');
            }),
        ),
        (
            "40x80 crlf",
            fill(MIB, |s, _| {
                (0..40).for_each(|_| write!(s, "data: {line}\r\n").unwrap());
                s.push_str("\r\n");
            }),
        ),
        (
            "256K line",
            fill(MIB, |s, _| {
                write!(s, "data: {}\n\n", text(256 << 10)).unwrap();
            }),
        ),
        (
            "256K breaks",
            fill(MIB, |s, _| {
                (0..16 << 10).for_each(|_| writeln!(s, "data: {}", text(15)).unwrap());
                s.push('\n');
            }),
        ),
        (
            "keep-alive",
            fill(MIB, |s, _| s.push_str(": keep-alive\n\n")) + "data: end\n\n",
        ),
        ("hi", fill(MIB, |s, _| s.push_str("data: hi\n\n"))),
        (
            "cjk",
            fill(MIB, |s, _| {
                write!(s, "data: {}\n\n", "漢字かな交じり文 text ".repeat(5)).unwrap();
            }),
        ),
    ];
    let cut = |stream: &str, size: usize| {
        let whole = Bytes::from(stream.to_owned());
        (0..whole.len())
            .step_by(size)
            .map(|at| whole.slice(at..whole.len().min(at + size)))
            .collect::<Vec<_>>()
    };
    let mut rows = Vec::new();
    for (name, stream) in &works {
        for size in [64 << 10, 1460, 16] {
            rows.push((format!("{name} @{size}"), cut(stream, size)));
        }
    }
    for (name, len) in [
        ("one 64K", 64 << 10),
        ("one 1M", MIB),
        ("one 16M", 16 * MIB),
    ] {
        rows.push((
            format!("{name} @1460"),
            cut(&format!("data: {}\n\n", text(len)), 1460),
        ));
    }
    rows
}
