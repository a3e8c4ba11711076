//! What the tests of the engines share: a server in a folder of its own, a proxy that loses what it is
//! told to, and clients.

mod client;
mod cut_off;
pub mod kill;
mod process;
mod proxy;

pub use self::client::{HOUR, all, data, end, entry, event_id, eventually, reset, until};
pub use self::cut_off::cut_off;
pub use self::process::{Process, free_port};
pub use self::proxy::{Link, Proxy};
