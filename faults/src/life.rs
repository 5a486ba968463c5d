//! The life of a fault.
