//! The cases of public suites (tests/data/suites.txt), each with what the standard makes of it: whole, byte by byte, in
//! chunks of 2, 3, 4 and 7 bytes, split at every position, and with empty chunks between; with comments and without.

#![cfg(feature = "std")]

mod support;

use std::time::Duration;
use support::laws_decode::{WAYS, run};
use support::oracle::{self, Said, Settings};

/// An input up to so long is split at every position, a longer one near both of its ends and here and there between.
const SPLIT_EVERYWHERE: usize = 8 << 10;

struct Case {
    name: String,
    last_event_id: String,
    /// Escaped: with `\e` in it, it is three inputs.
    input: String,
    said: Vec<Said>,
}

#[test]
fn every_case_in_every_chunking() {
    let cases = cases(include_str!("data/suites.txt"));
    for (suite, least) in [
        ("wpt", 27),
        ("dotnet", 23),
        ("launchdarkly", 43),
        ("eventsource-parser", 46),
        ("undici", 44),
        ("go-sse", 30),
    ] {
        let count = cases
            .iter()
            .filter(|case| case.name.split('/').next() == Some(suite))
            .count();
        assert!(count >= least, "{count} cases of {suite}");
    }
    for case in &cases {
        let ends: &[&str] = if case.input.contains("\\e") {
            &["\\n", "\\r", "\\r\\n"]
        } else {
            &[""]
        };
        for end in ends {
            let input = unescape(&case.input.replace("\\e", end));
            for comments in [true, false] {
                check(case, &input, comments);
            }
        }
    }
}

fn check(case: &Case, input: &[u8], comments: bool) {
    let Case {
        name,
        last_event_id,
        said,
        ..
    } = case;
    let settings = Settings {
        comments,
        last_event_id: last_event_id.clone(),
        ..Settings::default()
    };
    let mut said: Vec<Said> = said
        .iter()
        .filter(|one| comments || !matches!(one, Said::Comment(_)))
        .cloned()
        .collect();
    let last = said.iter().rev().find_map(|one| match one {
        Said::Event { last_event_id, .. } | Said::LastEventId(last_event_id) => Some(last_event_id),
        _ => None,
    });
    let last = last.unwrap_or(last_event_id).clone();

    // What the suites do not tell, whether an event's block had an id, is the oracle's to say.
    let mut expected = oracle::decode(input, &settings);
    let own_ids = expected
        .0
        .iter()
        .map(|one| matches!(one, Said::Event { own_id: true, .. }));
    for (one, own) in said.iter_mut().zip(own_ids.collect::<Vec<_>>()) {
        if let Said::Event { own_id, .. } = one {
            *own_id = own;
        }
    }
    assert_eq!(expected, (said.clone(), last.clone()), "{name}: the oracle");
    expected = (said, last);

    for plan in plans(input.len()) {
        for way in WAYS {
            let (said, id, _) = run(input, &plan, way, &settings);
            let found = (said, id);
            let chunks = &plan[..plan.len().min(8)];
            assert_eq!(
                found, expected,
                "{name}, {way:?}, comments {comments}, in chunks {chunks:?}"
            );
        }
    }
}

/// The lengths of the chunks, for each chunking; what is left after the last is one more chunk.
fn plans(len: usize) -> Vec<Vec<usize>> {
    let mut plans = vec![
        vec![],
        vec![0],
        [1, 0].repeat(len),
        [0, 0, 3].repeat(len / 3 + 1),
    ];
    plans.extend([1, 2, 3, 4, 7].map(|size| vec![size; len / size + 1]));
    let near_an_end = |cut: &usize| *cut <= 16 || len - *cut <= 16 || *cut % (len / 61) == 0;
    for cut in (0..=len).filter(|cut| len <= SPLIT_EVERYWHERE || near_an_end(cut)) {
        plans.push(vec![cut]);
        plans.push(vec![cut, 0, 0]);
    }
    plans
}

fn cases(file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in file.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            let name = name.to_owned();
            cases.push(Case {
                name,
                last_event_id: String::new(),
                input: String::new(),
                said: Vec::new(),
            });
        } else if let Some(id) = line.strip_prefix("@id ") {
            cases.last_mut().unwrap().last_event_id = text(id);
        } else if let Some(input) = line.strip_prefix('<') {
            cases.last_mut().unwrap().input.push_str(input);
        } else if let Some(said) = line.strip_prefix('>') {
            cases.last_mut().unwrap().said.push(parse_said(said));
        } else {
            assert!(
                line.is_empty() || line.starts_with(['#', '!']),
                "{line:?} is none of the format"
            );
        }
    }
    cases
}

fn text(escaped: &str) -> String {
    String::from_utf8(unescape(escaped)).unwrap()
}

fn parse_said(said: &str) -> Said {
    if let Some(time) = said.strip_prefix("retry ") {
        return Said::ReconnectionTime(Duration::from_millis(time.parse().unwrap()));
    }
    if let Some(id) = said.strip_prefix("id ") {
        return Said::LastEventId(text(id));
    }
    if let Some(comment) = said.strip_prefix("comment ") {
        return Said::Comment(text(comment));
    }
    let mut parts = said.splitn(3, '|').map(text);
    let mut part = || parts.next().unwrap();
    Said::Event {
        event_type: part(),
        last_event_id: part(),
        data: part(),
        own_id: false,
    }
}

fn unescape(escaped: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'\\' {
            match rest.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'0' => 0,
                b'\\' => b'\\',
                b'*' => {
                    let count: Vec<u8> = rest.by_ref().take_while(|&byte| byte != b'{').collect();
                    let repeated: Vec<u8> =
                        rest.by_ref().take_while(|&byte| byte != b'}').collect();
                    let count = std::str::from_utf8(&count).unwrap().parse().unwrap();
                    bytes.extend(unescape(std::str::from_utf8(&repeated).unwrap()).repeat(count));
                    continue;
                }
                b'x' => {
                    let digits: Vec<u8> = rest.by_ref().take(2).collect();
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => panic!("no escape: {}", other as char),
            }
        } else {
            byte
        });
    }
    bytes
}
