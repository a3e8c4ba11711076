//! The main loop.

use embedded_io::{Read, ReadReady, Write, WriteReady};

use crate::client::Client;
use crate::log::Log;

/// The maximum number of clients.
const CLIENTS: usize = 8;
/// The milliseconds between two readings.
const INTERVAL: u32 = 200;

/// The hardware that the loop needs.
pub(crate) trait Board {
    /// A connection. It is read or written only when it is ready.
    type Connection: Read + ReadReady + Write + WriteReady;

    /// Returns a number that no earlier start of the firmware has used, for example from a counter
    /// in flash memory.
    fn epoch(&mut self) -> u32;
    /// Returns the milliseconds since a fixed moment.
    fn now(&mut self) -> u32;
    /// Accepts a waiting connection, if there is one.
    fn accept(&mut self) -> Option<Self::Connection>;
    /// Reads the sensor, in tenths of a degree.
    fn measure(&mut self) -> i16;
    /// Sleeps for a moment. Returns false if the server must stop.
    fn sleep(&mut self) -> bool;
}

/// Serves until [`Board::sleep`] returns false.
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
        // While all places are taken, new connections wait.
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
