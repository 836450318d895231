//! The keys of written types: `written!` declares a type with its reader and its schema, and types may share groups of
//! keys.

use super::{Node, Reading, Written};

/// A field of a written type: one key with a value ([`Written`]), or a group of keys that several types share.
pub trait Keys: Sized {
    /// The keys of the field `name`.
    fn keys(name: &'static str) -> Vec<&'static str>;
    /// Reads the field `name` from `mapping`. `what` names the mapping in problems.
    fn read_from(mapping: &Node, name: &str, what: &str, reading: &mut Reading) -> Option<Self>;
}

impl<T: Written> Keys for T {
    fn keys(name: &'static str) -> Vec<&'static str> {
        vec![name]
    }
    fn read_from(mapping: &Node, name: &str, what: &str, reading: &mut Reading) -> Option<Self> {
        reading.field(mapping, name, what)
    }
}

/// Declares a type as written. Its reader and its JSON Schema come from the same list of keys. A group of keys
/// (`keys of pub struct …`) is a field of the types that share it, with `#[schemars(flatten)]`.
macro_rules! written {
    (keys of $(#[$meta:meta])* pub struct $Name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
        #[allow(unreachable_pub, reason = "keys that verbs share are private to steps/")]
        pub struct $Name { $($(#[$field_meta])* pub $field: $ty,)* }

        impl $crate::dialogue::Keys for $Name {
            fn keys(_: &'static str) -> Vec<&'static str> {
                $crate::dialogue::written!(@keys $($field: $ty,)*)
            }
            fn read_from(
                mapping: &$crate::dialogue::Node,
                _: &str,
                what: &str,
                reading: &mut $crate::dialogue::Reading,
            ) -> Option<Self> {
                $crate::dialogue::written!(@read $Name { $($field: $ty,)* } mapping, what, reading)
            }
        }
    };
    ($what:literal, $(#[$meta:meta])* pub struct $Name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        #[allow(unreachable_pub, reason = "verbs are private to steps/, files of agents are not")]
        pub struct $Name { $($(#[$field_meta])* pub $field: $ty,)* }

        impl $crate::dialogue::Written for $Name {
            fn read(node: &$crate::dialogue::Node, reading: &mut $crate::dialogue::Reading) -> Option<Self> {
                let $crate::dialogue::Data::Map(entries) = &node.data else {
                    return reading.wrong(node, concat!("a mapping (", $what, ")"));
                };
                reading.duplicates(entries);
                reading.unknown_keys(entries, &$crate::dialogue::written!(@keys $($field: $ty,)*), $what);
                $crate::dialogue::written!(@read $Name { $($field: $ty,)* } node, $what, reading)
            }
        }
    };
    // a Rust keyword is written `r#as` here and `as` in YAML
    (@keys $($field:ident: $ty:ty,)*) => {
        [$(<$ty as $crate::dialogue::Keys>::keys(stringify!($field).trim_start_matches("r#"))),*].concat()
    };
    // all fields are read before a missing one ends the reading, so that all problems are reported
    (@read $Name:ident { $($field:ident: $ty:ty,)* } $mapping:expr, $what:expr, $reading:expr) => {{
        $(let $field = <$ty as $crate::dialogue::Keys>::read_from(
            $mapping, stringify!($field).trim_start_matches("r#"), $what, $reading,
        );)*
        Some($Name { $($field: $field?,)* })
    }};
}
pub(crate) use written;
