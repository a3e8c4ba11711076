//! Reads the replies of Redis, in both versions of its protocol.

use redis::{ErrorKind, RedisError, Value};
use sse_proto_relay::{Facts, Fields, Place, Record};

use crate::error::Error;

/// Reads the entries of `XRANGE`.
pub(crate) fn records(reply: Value) -> Result<Vec<Record>, Error> {
    list(reply)?.into_iter().map(record).collect()
}

/// Reads the entries of one stream of `XREAD`.
pub(crate) fn read(reply: Value) -> Result<Vec<Record>, Error> {
    let entries = match reply {
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        reply => match list(reply)?.into_iter().next() {
            Some(stream) => list(stream)?.pop(),
            None => None,
        },
    };
    records(entries.unwrap_or(Value::Nil))
}

fn record(entry: Value) -> Result<Record, Error> {
    let [id, fields] = <[Value; 2]>::try_from(list(entry)?).map_err(|_| unexpected())?;
    Ok(Record {
        place: place(&id)?,
        fields: pairs(fields)?
            .into_iter()
            .map(|(name, value)| Ok((bytes(name)?, bytes(value)?)))
            .collect::<Result<Fields, Error>>()?,
    })
}

/// Reads `XINFO STREAM`.
pub(crate) fn facts(reply: &Value, mark: &str) -> Result<Facts, Error> {
    let info = pairs(reply.clone())?;
    let find = |name: &str| {
        let found = info.iter().find(|(one, _)| text(one) == Some(name));
        found.map(|(_, value)| value)
    };
    let number = |name| match find(name) {
        Some(Value::Int(number)) => Ok(*number),
        // Redis 6 counts no entries that were added.
        _ => Err(Error::TooOld),
    };
    let first = match find("first-entry") {
        Some(Value::Array(entry)) => entry.first().map(place).transpose()?,
        _ => None,
    };
    Ok(Facts {
        mark: mark.into(),
        first,
        last: place(find("last-generated-id").ok_or_else(unexpected)?)?,
        is_whole: number("entries-added")? == number("length")?,
        deleted: place(find("max-deleted-entry-id").ok_or(Error::TooOld)?)?,
    })
}

/// Checks the reply of `ROLE`.
pub(crate) fn check_master(reply: &Value) -> Result<(), Error> {
    match reply {
        Value::Array(parts) if parts.first().and_then(text) == Some("master") => Ok(()),
        _ => Err(Error::NotMaster),
    }
}

/// Parses the place in an id of a stream.
pub(crate) fn parse_place(id: &str) -> Option<Place> {
    let (ms, seq) = id.split_once('-')?;
    Some(Place::new(ms.parse().ok()?, seq.parse().ok()?))
}

fn place(id: &Value) -> Result<Place, Error> {
    text(id).and_then(parse_place).ok_or_else(unexpected)
}

fn list(reply: Value) -> Result<Vec<Value>, Error> {
    match reply {
        Value::Array(list) => Ok(list),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected()),
    }
}

fn pairs(reply: Value) -> Result<Vec<(Value, Value)>, Error> {
    if let Value::Map(pairs) = reply {
        return Ok(pairs);
    }
    let (mut pairs, mut list) = (Vec::new(), list(reply)?.into_iter());
    while let (Some(name), Some(value)) = (list.next(), list.next()) {
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn bytes(value: Value) -> Result<Vec<u8>, Error> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(unexpected()),
    }
}

pub(crate) fn unexpected() -> Error {
    let text = "a reply has another form";
    Error::Redis(RedisError::from((ErrorKind::UnexpectedReturnType, text)))
}
