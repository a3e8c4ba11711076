//! Where the values of the open block are.

/// Where a value of the open block is: at a range of the input, in its buffer, or nowhere.
///
/// Two plain numbers, and not an enum: values of this type are written and read a few instructions apart on every line,
/// and an enum of the same content was copied in halves that do not match, which cost a fifth of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Place {
    // A value in the input has at least a name before it, so that small ends are free; to ask for one number is enough.
    pub(super) const NOWHERE: Self = Self { start: 0, end: 0 };

    #[inline]
    pub(super) const fn len(self) -> usize {
        self.end - self.start
    }

    #[inline]
    pub(super) const fn is_input(self) -> bool {
        self.end > 1
    }

    #[inline]
    pub(super) const fn is_nowhere(self) -> bool {
        self.end == 0
    }

    #[inline]
    pub(super) const fn is_buffer(self) -> bool {
        self.end == 1
    }

    #[inline]
    pub(super) const fn of_buffer(is_open: bool) -> Self {
        Self {
            start: 0,
            end: is_open as usize,
        }
    }
}

/// Where the values of the open block are, then the parts of the item that the last step has completed. Holds no
/// borrow, so that the decoder can be looked at again for the view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    /// Data, or a comment.
    pub(super) text: Place,
    pub(super) event_type: Place,
    pub(super) id: Place,
    pub(super) reconnection_time: u64,
}

impl Lent {
    pub(super) const NOTHING: Self = Self {
        text: Place::NOWHERE,
        event_type: Place::NOWHERE,
        id: Place::NOWHERE,
        reconnection_time: 0,
    };

    pub(super) const fn own_id(&self) -> bool {
        !self.id.is_nowhere()
    }
}
