//! Opens the event stream at an address, and reads until it is killed.

use std::io::{self, Write};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let mut stream = TcpStream::connect(&address)?;
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    io::copy(&mut stream, &mut io::stdout()).map(drop)
}
