//! An engine that is a `Vec`, and the law of the joint. Shares no code with `src`.

pub(crate) mod law;
pub(crate) mod vec_engine;
