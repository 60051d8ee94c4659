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

#[test]
fn a_signal_that_is_ignored_ends_nothing() {
    let scene = Scene::new("install");
    let command = scene.command();
    let script = "trap '' HUP; \"$@\" & for i in $(seq 100); do kill -HUP $! || break; sleep 0.005; done; wait $!";
    #[expect(clippy::disallowed_methods, reason = "a shell can ignore signals")]
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(command.get_program());
    shell
        .args(command.get_args())
        .current_dir(scene.sandbox.path(""));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
