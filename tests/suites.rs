//! The cases of public suites (tests/data/suites.txt): each whole, byte by byte, split at every position, in 7-byte
//! chunks, and with empty chunks between. Where a suite contradicts the standard, the standard stands.

mod support;

use std::time::Duration;
use support::laws_decode::{WAYS, run};
use support::oracle::{Said, Settings};

struct Case {
    name: String,
    input: Vec<u8>,
    said: Vec<Said>,
}

#[test]
fn every_case_in_every_chunking() {
    let cases = cases(include_str!("data/suites.txt"));
    assert!(cases.len() >= 35, "{} cases", cases.len());
    for Case { name, input, said } in &cases {
        let mut plans = vec![
            vec![],
            vec![1; input.len()],
            vec![7; input.len() / 7 + 1],
            [1, 0].repeat(input.len()),
        ];
        plans.extend((0..=input.len()).map(|cut| vec![cut]));
        plans.extend((0..=input.len()).map(|cut| vec![cut, 0, 0]));
        let settings = Settings {
            comments: false,
            ..Settings::default()
        };
        for plan in &plans {
            for way in WAYS {
                let (mut found, _) = run(input, plan, way, &settings, |_| {});
                for one in &mut found {
                    if let Said::Event { own_id, .. } = one {
                        *own_id = false;
                    }
                }
                assert_eq!(&found, said, "{name}, {way:?}, in chunks {plan:?}");
            }
        }
    }
}

fn cases(file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in file.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name: name.to_owned(),
                input: Vec::new(),
                said: Vec::new(),
            });
        } else if let Some(input) = line.strip_prefix('<') {
            cases.last_mut().unwrap().input.extend(unescape(input));
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

fn parse_said(said: &str) -> Said {
    let text = |escaped: &str| String::from_utf8(unescape(escaped)).unwrap();
    if let Some(time) = said.strip_prefix("retry ") {
        return Said::ReconnectionTime(Duration::from_millis(time.parse().unwrap()));
    }
    if let Some(id) = said.strip_prefix("id ") {
        return Said::LastEventId(text(id));
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
