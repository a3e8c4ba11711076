//! Code that many types share and that a trait can't give them.

/// The methods of a builder that set one field each: `const fn with_x(x: T)` stores the argument,
/// and `fn with_x(x: T) = value` the value, which is made of the argument.
macro_rules! setters {
    () => {};
    ($(#[$meta:meta])* const fn $name:ident($field:ident: $type:ty); $($rest:tt)*) => {
        setters! { $(#[$meta])* const fn $name($field: $type) = $field; $($rest)* }
    };
    ($(#[$meta:meta])* const fn $name:ident($field:ident: $type:ty) = $value:expr; $($rest:tt)*) => {
        $(#[$meta])*
        #[must_use]
        pub const fn $name(mut self, $field: $type) -> Self {
            self.$field = $value;
            self
        }

        setters! { $($rest)* }
    };
    ($(#[$meta:meta])* fn $name:ident($field:ident: $type:ty) = $value:expr; $($rest:tt)*) => {
        $(#[$meta])*
        #[inline]
        #[must_use]
        pub fn $name(mut self, $field: $type) -> Self {
            self.$field = $value;
            self
        }

        setters! { $($rest)* }
    };
}

/// Implements `Debug` with the values of these expressions as fields. It is never derived for a type
/// that holds a payload or a secret, and says that something is left out.
macro_rules! debug {
    (
        impl($($parameter:tt)*) $name:ident$(<$($argument:tt),*>)?,
        $self:ident => $($field:ident: $value:expr),* $(,)?
    ) => {
        impl<$($parameter)*> core::fmt::Debug for $name$(<$($argument),*>)? {
            fn fmt(&$self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &$value))*
                    .finish_non_exhaustive()
            }
        }
    };
}
