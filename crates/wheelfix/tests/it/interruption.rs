//! Runs that are killed or interrupted: nothing is half done.

use crate::scene::Scene;

#[test]
fn killed_at_random_moments_nothing_is_half_done() {
    let scenes = (1..).zip(Scene::NAMES);
    let ended: usize = scenes
        .map(|(seed, name)| Scene::new(name).kill(seed, 10))
        .sum();
    assert!(20 <= ended, "only {ended} of 60 runs were broken off");
}
