//! A cluster in memory: just enough of the API for namespaces and one kind of object, with the ways to fail
//! that the gates must notice.

pub(crate) mod api;
pub(crate) mod fakes;
