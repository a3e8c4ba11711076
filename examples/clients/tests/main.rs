//! The drivers against a scripted server.

mod contract;
mod servers;
mod support;
