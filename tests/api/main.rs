//! What a change can take from users without a test of behaviour noticing: auto traits, sizes and
//! the texts of errors. The public API itself is in `api.txt`, which `.ci/api` writes.

mod auto_traits;
mod client;
mod errors;
mod sizes;

/// Whether a type has a trait. The constant of the impl with the bound wins over the trait's, where
/// the bound holds.
macro_rules! has {
    ($type:ty: $bound:path) => {{
        #[allow(dead_code, reason = "used only where the bound does not hold")]
        trait Otherwise {
            const HOLDS: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Of<T: ?Sized>(core::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used only where the bound holds")]
        impl<T: ?Sized + $bound> Of<T> {
            const HOLDS: bool = true;
        }
        <Of<$type>>::HOLDS
    }};
}
pub(crate) use has;
