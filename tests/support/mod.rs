//! What the tests and the fuzz targets share: the laws of the crate as functions, and the naive
//! models that they hold it against. Nothing here shares code with the crate.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test and each fuzz target uses a part of it"
)]

pub mod broadcast;
pub mod broadcast_merge;
pub mod broadcast_model;
pub mod broadcast_ops;
pub mod client;
pub mod client_life;
pub mod client_model;
pub mod client_setup;
pub mod client_told;
pub mod driver;
pub mod fakes;
pub mod input;
pub mod law;
pub mod laws;
pub mod laws_decode;
pub mod laws_ids;
pub mod life;
pub mod life_model;
pub mod life_seed;
pub mod life_stack;
pub mod life_target;
pub mod model;
pub mod model_line;
pub mod oracle;
pub mod play;
pub mod replay;
pub mod stage;
pub mod stage_channel;
