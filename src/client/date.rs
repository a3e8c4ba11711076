//! HTTP dates (RFC 9110, 5.6.7), without a clock.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The longest date that has a form: the obsolete one, on a Wednesday.
const MAX_LEN: usize = "Wednesday, 06-Nov-94 08:49:37 GMT".len();

/// Parses a date in one of the three forms that a recipient must accept, into seconds since the
/// year 0. Only the difference of two results has a meaning.
pub(super) fn parse(text: &str) -> Option<u64> {
    if text.len() > MAX_LEN {
        return None;
    }
    let mut words = text
        .split([' ', ',', '-'])
        .filter(|word| !word.is_empty())
        .skip(1);
    let mut next = || words.next();
    let words = [next()?, next()?, next()?, next()?, next().unwrap_or("GMT")];
    let (day, month, year, time) = match words {
        // > Sun Nov  6 08:49:37 1994         ; ANSI C's asctime() format
        [month, day, time, year, "GMT"] if time.contains(':') => (day, month, year, time),
        // > Sun, 06 Nov 1994 08:49:37 GMT    ; IMF-fixdate
        // > Sunday, 06-Nov-94 08:49:37 GMT   ; obsolete RFC 850 format
        [day, month, year, time, "GMT"] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|&name| name == month)? as u64;
    let year = match (year.len(), number(year)?) {
        (2, year) if year < 70 => 2000 + year,
        (2, year) => 1900 + year,
        (_, year) => year,
    };
    let mut time = time.splitn(3, ':').map(number);
    let mut below = |limit| time.next()?.filter(|&count| count < limit);
    // A leap second is the last of its minute.
    let seconds = below(24)? * 3600 + below(60)? * 60 + below(61)?;
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    Some((days_before(year, month) + day) * 86_400 + seconds)
}

/// Returns the days from the start of the year 0 to that of a month, which counts from 0.
fn days_before(year: u64, month: u64) -> u64 {
    // The year starts in March here, so that a leap day is its last.
    let (year, month) = if month < 2 {
        (year.saturating_sub(1), month + 10)
    } else {
        (year, month - 2)
    };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5
}

/// Parses one to four digits.
fn number(digits: &str) -> Option<u64> {
    let is_number = digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}
