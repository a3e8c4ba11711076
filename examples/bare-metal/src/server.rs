//! The loop.

use embedded_io::{Read, ReadReady, Write, WriteReady};

use crate::client::Client;
use crate::log::Log;

/// How many clients there may be at once.
const CLIENTS: usize = 8;
/// The milliseconds between two readings.
const INTERVAL: u32 = 200;

/// What the loop runs on.
pub(crate) trait Board {
    /// A connection. Nothing is asked of it but what it says that it is ready for.
    type Connection: Read + ReadReady + Write + WriteReady;

    /// Returns a number that no other start of the firmware has had, as from a counter in the flash.
    fn epoch(&mut self) -> u32;
    /// Returns the milliseconds since any moment.
    fn now(&mut self) -> u32;
    /// Returns a connection that waits.
    fn accept(&mut self) -> Option<Self::Connection>;
    /// Reads the sensor, in tenths of a degree.
    fn measure(&mut self) -> i16;
    /// Sleeps for a moment; false is the end.
    fn sleep(&mut self) -> bool;
}

/// Serves until the board ends.
pub(crate) fn run<B: Board>(board: &mut B) {
    let mut log = Log::new(board.epoch());
    let mut clients = [const { None::<Client<B::Connection>> }; CLIENTS];
    let mut measured = board.now();
    while board.sleep() {
        let now = board.now();
        if now.wrapping_sub(measured) >= INTERVAL {
            measured = measured.wrapping_add(INTERVAL);
            log.push(board.measure());
        }
        // One too many waits until another has gone.
        if let Some(free) = clients.iter_mut().find(|client| client.is_none()) {
            *free = board
                .accept()
                .map(|connection| Client::new(connection, now));
        }
        for place in &mut clients {
            if let Some(client) = place {
                if client.serve(&log, now).is_none() {
                    *place = None;
                }
            }
        }
    }
}
