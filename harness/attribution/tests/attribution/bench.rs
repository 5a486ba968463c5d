//! A judgement of a lab-size world is quick, also after hours, and memory does not grow.

use crate::{scene::*, scenes::*};
use loopdrill_attribution::{World, judge};
use std::time::Instant;

#[test]
fn a_judgement_takes_milliseconds() {
    let mut s = Scene::lab();
    for i in 0..300 {
        s.pod(&format!("pod-{i}"), |_| {});
    }
    for second in 1..=300 {
        fsyncs(&mut s, 10 * second, 0);
        requests(&mut s, 20 * second, 0);
        links(&mut s, 8, 0);
        round(&mut s, [PASSED, PASSED, PASSED], PASSED, PASSED);
    }
    fragmentation(&mut s);
    let began = Instant::now();
    let mut world = World::new();
    s.told.iter().for_each(|o| world.apply(o));
    let each = began.elapsed() / u32::try_from(s.told.len()).expect("not so many");
    let times: Vec<_> = (0..20)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(judge(&world).diagnoses.len(), 1);
            began.elapsed()
        })
        .collect();
    let best = times.iter().min().expect("some");
    println!("apply {each:?} each, judge {best:?} at best");
    // Unoptimised and beside other tests; in a release build it is far below a millisecond.
    assert!(best.as_millis() < 50, "{best:?}");
}
