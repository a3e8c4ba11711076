//! The board: the host machine, through the C library.

use core::ffi::{c_int, c_uint, c_void};

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};

use crate::server::Board;

#[link(name = "c")]
unsafe extern "C" {
    #[link_name = "abort"]
    fn c_abort() -> !;
    fn accept4(socket: c_int, address: *mut c_void, len: *mut c_uint, flags: c_int) -> c_int;
    fn bind(socket: c_int, address: *const SocketAddress, len: c_uint) -> c_int;
    fn close(file: c_int) -> c_int;
    fn getentropy(buffer: *mut u8, len: usize) -> c_int;
    fn getsockname(socket: c_int, address: *mut SocketAddress, len: *mut c_uint) -> c_int;
    fn listen(socket: c_int, backlog: c_int) -> c_int;
    fn poll(files: *mut PollFile, count: usize, milliseconds: c_int) -> c_int;
    fn recv(socket: c_int, buffer: *mut u8, len: usize, flags: c_int) -> isize;
    fn send(socket: c_int, buffer: *const u8, len: usize, flags: c_int) -> isize;
    fn setsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *const c_int,
        len: c_uint,
    ) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn write(file: c_int, buffer: *const u8, len: usize) -> isize;
}

const AF_INET: u16 = 2;
const SOCK_STREAM: c_int = 1;
const SOCK_NONBLOCK: c_int = 0o4000;
const IPPROTO_TCP: c_int = 6;
const TCP_NODELAY: c_int = 1;
const MSG_NOSIGNAL: c_int = 0x4000;
const POLL_IN: i16 = 1;
const POLL_OUT: i16 = 4;
const STDIN: c_int = 0;
const STDOUT: c_int = 1;
/// The time that one sleep takes, in milliseconds.
const SLEEP: u16 = 5;

#[repr(C)]
struct SocketAddress {
    family: u16,
    port: [u8; 2],
    address: [u8; 4],
    zero: [u8; 8],
}

#[repr(C)]
struct PollFile {
    file: c_int,
    events: i16,
    happened: i16,
}

pub(crate) fn abort() -> ! {
    // SAFETY: `abort` takes no arguments and never returns.
    unsafe { c_abort() }
}

/// A machine with sockets. Its clock advances only in `sleep`.
pub(crate) struct Host {
    socket: c_int,
    now: u32,
}

impl Host {
    /// Listens on any free port of the loopback interface, and prints the address on standard
    /// output.
    pub(crate) fn new() -> Option<Self> {
        let mut address = SocketAddress {
            family: AF_INET,
            port: [0; 2],
            address: [127, 0, 0, 1],
            zero: [0; 8],
        };
        let mut len = c_uint::try_from(size_of::<SocketAddress>()).ok()?;
        let yes: c_int = 1;
        // SAFETY: the pointers are to live values of the given lengths.
        let socket = unsafe {
            let socket = socket(AF_INET.into(), SOCK_STREAM | SOCK_NONBLOCK, 0);
            // Accepted connections inherit TCP_NODELAY from the listening socket. Without it, the
            // system may delay an event until the client has acknowledged the previous one.
            let ok = setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &raw const yes, 4) == 0
                && bind(socket, &raw const address, len) == 0
                && listen(socket, 8) == 0
                && getsockname(socket, &raw mut address, &raw mut len) == 0;
            ok.then_some(socket)?
        };
        say(b"listening on http://127.0.0.1:");
        let (mut port, mut digits) = (u16::from_be_bytes(address.port), [b'0'; 5]);
        for digit in digits.iter_mut().rev() {
            *digit += (port % 10) as u8;
            port /= 10;
        }
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        say(&digits[zeros..]);
        say(b"\n");
        Some(Self { socket, now: 0 })
    }
}

impl Board for Host {
    type Connection = Connection;

    /// Returns a random number, because the host has no counter of starts.
    fn epoch(&mut self) -> u32 {
        let mut bytes = [0; 4];
        // SAFETY: the buffer has the given length. On failure it keeps its zeros.
        unsafe { getentropy(bytes.as_mut_ptr(), bytes.len()) };
        u32::from_ne_bytes(bytes)
    }

    fn now(&mut self) -> u32 {
        self.now
    }

    fn accept(&mut self) -> Option<Connection> {
        // SAFETY: null pointers mean that the address of the peer is not wanted.
        let file = unsafe {
            accept4(
                self.socket,
                core::ptr::null_mut(),
                core::ptr::null_mut(),
                SOCK_NONBLOCK,
            )
        };
        (file >= 0).then_some(Connection(file))
    }

    fn measure(&mut self) -> i16 {
        i16::try_from(self.now / 100 % 50).unwrap_or_default() + 200
    }

    fn sleep(&mut self) -> bool {
        self.now = self.now.wrapping_add(SLEEP.into());
        // Any input, or the end of standard input, ends the program.
        !is_ready(STDIN, POLL_IN, SLEEP.into())
    }
}

/// A connection. No call on it blocks.
pub(crate) struct Connection(c_int);

impl ErrorType for Connection {
    type Error = ErrorKind;
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        // SAFETY: the buffer has the given length.
        let read = unsafe { recv(self.0, buffer.as_mut_ptr(), buffer.len(), 0) };
        usize::try_from(read).map_err(|_| ErrorKind::ConnectionReset)
    }
}

impl ReadReady for Connection {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(is_ready(self.0, POLL_IN, 0))
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, ErrorKind> {
        // SAFETY: the buffer has the given length.
        let sent = unsafe { send(self.0, buffer.as_ptr(), buffer.len(), MSG_NOSIGNAL) };
        usize::try_from(sent).map_err(|_| ErrorKind::ConnectionReset)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl WriteReady for Connection {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(is_ready(self.0, POLL_OUT, 0))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: this connection owns the file and does not use it again.
        unsafe { close(self.0) };
    }
}

fn is_ready(file: c_int, events: i16, milliseconds: c_int) -> bool {
    let mut files = PollFile {
        file,
        events,
        happened: 0,
    };
    // SAFETY: the pointer is to one live entry.
    unsafe { poll(&raw mut files, 1, milliseconds) > 0 }
}

fn say(text: &[u8]) {
    // SAFETY: the text has the given length. A failed write is ignored.
    unsafe { write(STDOUT, text.as_ptr(), text.len()) };
}
