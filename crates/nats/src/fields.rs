//! The form of an entry in the payload of a message: for each field its name, a space, the length of
//! its value in bytes, a line feed, the value, and a line feed.

use sse_proto_relay::Fields;

/// The most bytes that this form, and the headers of a message, take besides the fields.
pub(crate) const OVERHEAD: usize = 768;

pub(crate) fn encode(fields: &Fields) -> Vec<u8> {
    let len = fields.iter().map(|(name, value)| name.len() + value.len());
    let mut payload = Vec::with_capacity(len.sum::<usize>() + OVERHEAD);
    for (name, value) in fields {
        payload.extend_from_slice(name);
        payload.extend_from_slice(format!(" {}\n", value.len()).as_bytes());
        payload.extend_from_slice(value);
        payload.push(b'\n');
    }
    payload
}

/// Returns the fields of a payload. One that has another form is a single field without a name, which
/// no version can read, and which gives each payload a tag of its own.
pub(crate) fn decode(payload: &[u8]) -> Fields {
    parse(payload).unwrap_or_else(|| vec![(Vec::new(), payload.to_vec())])
}

fn parse(mut rest: &[u8]) -> Option<Fields> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (head, after) = (&rest[..end], &rest[end + 1..]);
        let space = head.iter().position(|byte| *byte == b' ')?;
        let digits = str::from_utf8(&head[space + 1..]).ok()?;
        let len: usize = digits.parse().ok()?;
        if len.to_string() != digits || after.get(len) != Some(&b'\n') {
            return None;
        }
        fields.push((head[..space].to_vec(), after[..len].to_vec()));
        rest = &after[len + 1..];
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_whatever_is_in_them() {
        let fields = vec![
            (b"v".to_vec(), b"1".to_vec()),
            (b"data".to_vec(), b"a\nb 3\n\xFF".to_vec()),
            (b"topic".to_vec(), Vec::new()),
        ];
        let payload = encode(&fields);
        assert_eq!(payload, b"v 1\n1\ndata 7\na\nb 3\n\xFF\ntopic 0\n\n");
        assert_eq!(decode(&payload), fields);
        assert_eq!(decode(b""), []);
    }

    #[test]
    fn a_payload_of_another_form_is_one_field_without_a_name() {
        for payload in [
            &b"hello"[..],
            b"v 1\n1",
            b"v 2\n1\n",
            b"v 01\n1\n",
            b"v +1\n1\n",
            b"v \n\n",
            b"v 99999999999999999999\n1\n",
            b"v 18446744073709551615\n1\n",
            b"v 1\n1\n\n",
        ] {
            assert_eq!(decode(payload), [(Vec::new(), payload.to_vec())]);
        }
    }
}
