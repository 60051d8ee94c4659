//! Runs that are killed or interrupted, 400 of them: nothing is half done.

use crate::scene::Scene;

#[test]
fn killed_at_random_moments_nothing_is_half_done() {
    for (seed, name) in (1000..).zip(Scene::NAMES) {
        let ended = Scene::new(name).kill(seed, 67);
        assert!(
            20 <= ended,
            "{name}: only {ended} of 67 runs were broken off"
        );
    }
}
