//! What the driver says on the wire: messages by hand with the public field numbers, services by `build.rs`.
//!
//! Only what the driver reads or answers is declared. Unknown fields are skipped when a message is decoded; so
//! are all `secrets` maps, which therefore cannot reach a log.

/// Messages as a table: a field's number, name and type, and its type on the wire.
macro_rules! messages {
    ($($(#[$about:meta])* $name:ident {
        $($(#[$field_about:meta])* $number:literal $field:ident: $type:ty as $($wire:tt $(= $entries:tt)?),+;)*
    })+) => {$(
        $(#[$about])*
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub(crate) struct $name {
            $($(#[$field_about])* #[prost($($wire $(= $entries)?),+, tag = $number)] pub(crate) $field: $type,)*
        }
    )+};
}

pub(crate) mod csi;
pub(crate) mod registration;

#[expect(
    unreachable_pub,
    clippy::allow_attributes,
    reason = "generated code, public inside this private module"
)]
pub(crate) mod services {
    include!(concat!(env!("OUT_DIR"), "/csi.v1.Identity.rs"));
    include!(concat!(env!("OUT_DIR"), "/csi.v1.Controller.rs"));
    include!(concat!(env!("OUT_DIR"), "/csi.v1.Node.rs"));
    include!(concat!(env!("OUT_DIR"), "/pluginregistration.Registration.rs"));
}
