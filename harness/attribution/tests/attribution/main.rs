//! Attribution over hand-built observations: for each cause what proves it, and what only looks like it.

mod bench;
mod compute;
mod control_plane;
mod identity;
mod network;
mod properties;
mod scene;
mod scenes;
mod silence;
mod storage;
mod workload;
