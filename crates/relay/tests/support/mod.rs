//! An engine that is a `Vec`, and the law of the joint. Shares no code with `src`.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod law;
pub(crate) mod vec_engine;
