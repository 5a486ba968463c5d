//! Attribution over hand-built observations: for each cause what proves it, and what only looks like it.

mod bench;
mod called_in;
mod clues;
mod cold;
mod compute;
mod control_plane;
mod evidence;
mod identity;
mod measures;
mod metrics;
mod network;
mod obstacles;
mod placement;
mod properties;
mod route;
mod scene;
mod scenes;
mod silence;
mod storage;
mod workload;
