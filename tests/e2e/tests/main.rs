//! The mounted examples as processes on loopback: one table of them, and what is promised of each.

mod attacked;
mod bare_metal;
mod behind;
mod browser;
mod cluster;
mod failing;
mod glue;
mod gone;
mod grpc;
mod laggard;
mod many;
mod methods;
mod no_delay;
mod notify;
mod prompt;
mod refused;
mod resume;
mod same;
mod shutdown;
mod support;
mod topics;
