//! One store for each kind of API object, from the model's table: what is stored is also removed and pruned.

use super::index::{self, Pool};
use super::objects::{self, Fact, Object, Store, Traits};
use loopdrill_model::{Timestamp, signal::*, with_objects};

/// Makes [`Stores`] of the table.
macro_rules! stores {
    (objects { $(
        $(#[$doc:meta])*
        $name:ident($data:ty), $texts:tt, $store:ident, [$($kind:literal),+], [$($namespace:ident)?];
    )+ }) => {
        /// The pattern of all signals that a store takes.
        macro_rules! stored {
            () => {
                $(Signal::$name(_))|+
            };
        }
        pub(super) use stored;

        $(impl Object for $name {
            fn uid(&self) -> &str {
                &self.uid
            }
            fn version(&self) -> u64 {
                self.version
            }
            $(fn namespace(&self) -> &str {
                &self.$namespace
            })?
            fn name(&self) -> &str {
                &self.name
            }
        })+

        /// The newest state of all API objects that have a uid.
        #[derive(Debug, Clone)]
        pub struct Stores {
            $(pub(crate) $store: Store<$name>,)+
        }

        impl Stores {
            /// Stores of objects of which rules ask nothing but their names.
            fn plain() -> Self {
                Self { $($store: Store::new(Traits::default()),)+ }
            }

            /// Takes the signal in where it is an object.
            pub(super) fn put(&mut self, signal: &Signal, at: Timestamp) {
                match signal {
                    $(Signal::$name(object) => {
                        let object: &$name = object;
                        self.$store.put(object.clone(), at);
                    })+
                    _ => {}
                }
            }

            pub(super) fn remove(&mut self, gone: &Deleted, at: Timestamp) {
                match gone.object.kind.as_str() {
                    $($($kind)|+ => self.$store.remove(&gone.uid, &gone.object, at),)+
                    _ => {}
                }
            }

            pub(super) fn prune(&mut self, before: Timestamp) {
                $(self.$store.prune(before);)+
            }
        }
    };
}

with_objects! { stores }

impl Default for Stores {
    /// Empty ones, each with what rules ask of its objects.
    fn default() -> Self {
        Self {
            pods: Store::new(Traits {
                facts: objects::pod_facts,
                keys: index::pod_keys,
                load: objects::pod_load,
                share: Pool::share,
            }),
            nodes: Store::new(Traits {
                facts: objects::node_facts,
                keys: index::node_keys,
                ..Traits::default()
            }),
            claims: Store::new(Traits { keys: index::claim_keys, ..Traits::default() }),
            attachments: Store::new(Traits { keys: index::attachment_keys, ..Traits::default() }),
            controllers: Store::new(Traits {
                facts: objects::controller_facts,
                keys: index::controller_keys,
                ..Traits::default()
            }),
            services: Store::new(Traits {
                facts: |service| vec![Fact::selects(service)],
                keys: index::service_keys,
                ..Traits::default()
            }),
            aggregated_apis: Store::new(Traits {
                facts: |api| api.unavailable.iter().map(|_| Fact::Unavailable).collect(),
                ..Traits::default()
            }),
            quotas: Store::new(Traits { keys: index::keys_beside, ..Traits::default() }),
            policies: Store::new(Traits { keys: index::keys_beside, ..Traits::default() }),
            ..Self::plain()
        }
    }
}
