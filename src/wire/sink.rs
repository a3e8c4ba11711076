//! Where encoded bytes go.

use alloc::vec::Vec;

use bytes::BytesMut;

/// Takes the bytes of a block, in order.
pub(crate) trait Sink {
    /// Takes all of `bytes`.
    fn put(&mut self, bytes: &[u8]);

    /// Takes the first `len` bytes of `from`; may use the room behind them, up to what is there.
    ///
    /// Lines are mostly short, and a copy of a fixed size is two instructions where one of any size
    /// is a call: on lines of 16 bytes that is a third of the time.
    fn put_front(&mut self, from: &[u8], len: usize);
}

/// The size of the fixed copy.
const FRONT: usize = 32;

macro_rules! growing_sink {
    ($buffer:ty) => {
        impl Sink for $buffer {
            #[inline]
            fn put(&mut self, bytes: &[u8]) {
                self.extend_from_slice(bytes);
            }

            #[inline]
            fn put_front(&mut self, from: &[u8], len: usize) {
                let end = self.len() + len;
                match from.first_chunk::<FRONT>() {
                    // It must not grow the buffer for bytes that are taken back.
                    Some(front) if len <= FRONT && self.capacity() - self.len() >= FRONT => {
                        self.extend_from_slice(front);
                        self.truncate(end);
                    }
                    _ => self.extend_from_slice(&from[..len]),
                }
            }
        }
    };
}

growing_sink!(BytesMut);
growing_sink!(Vec<u8>);

/// The rest of a slice that was measured to be long enough.
impl Sink for &mut [u8] {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let (here, behind) = core::mem::take(self).split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        *self = behind;
    }

    #[inline]
    fn put_front(&mut self, from: &[u8], len: usize) {
        let rest = core::mem::take(self);
        match (rest.first_chunk_mut::<FRONT>(), from.first_chunk::<FRONT>()) {
            (Some(room), Some(front)) if len <= FRONT => *room = *front,
            _ => rest[..len].copy_from_slice(&from[..len]),
        }
        *self = &mut rest[len..];
    }
}
