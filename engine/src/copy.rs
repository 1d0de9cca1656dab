//! Copies that use memory again.
//!
//! Whoever goes back to one state over and over, as an explorer does, copies a whole system for
//! every call it tries. With `clone_from` that asks for no memory: each vector keeps its own.

/// Implements `Clone` for a record field by field, `clone_from` too, which a derived `Clone`
/// does not.
macro_rules! clone_in_place {
    ($name:ident $(<$parameter:ident>)? { $($field:ident),* $(,)? }) => {
        impl$(<$parameter: Clone>)? Clone for $name$(<$parameter>)? {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone()),* }
            }

            fn clone_from(&mut self, source: &Self) {
                let Self { $($field),* } = self;
                $($field.clone_from(&source.$field);)*
            }
        }
    };
}

pub(crate) use clone_in_place;
