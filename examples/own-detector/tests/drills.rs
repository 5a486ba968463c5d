//! A right is taken from the operator. One that says so passes; one that is mute is caught.

use loopdrill_testing::{Drills, Gate};
use own_detector::{Conditions, LostRight};
use std::sync::Arc;

fn main() -> std::process::ExitCode {
    Drills::new("operator", env!("CARGO_TARGET_TMPDIR"))
        .detector(Arc::new(Conditions))
        .drill(Arc::new(LostRight::OF_AN_OPERATOR))
        .fails(Gate::Detected, Arc::new(LostRight::OF_A_MUTE_OPERATOR))
        .run()
}
