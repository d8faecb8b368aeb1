//! Random calls against the model.
//!
//! `cargo xtask capi-fuzz --steps N --seed N` runs more of them, `--asan` under the address sanitizer.
#![allow(clippy::disallowed_methods, reason = "the command line's numbers")]

use crate::model::Model;

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn random_calls_have_the_status_that_the_model_says() {
    let steps = number("SOCKLESS_CAPI_STEPS", 60_000);
    let seed = number("SOCKLESS_CAPI_SEED", 1);
    // A model of its own every so often, so that a failure names a seed that is quick to repeat.
    let (mut done, mut at, mut counts) = (0, seed, [0_u64; 4]);
    while done < steps {
        let some = 20_000.min(steps - done);
        println!("seed {at}, {some} steps");
        let counted = Model::new(at).run(some);
        for (sum, count) in counts.iter_mut().zip(counted) {
            *sum += count;
        }
        (done, at) = (done + some, at + 1);
    }
    let [operations, ended, refused, closed] = counts;
    println!(
        "{done} calls: {operations} operations, {ended} transfers, {refused} refusals, {closed} engines closed"
    );
    assert!(operations > steps / 100 && ended > steps / 1000 && refused > steps / 100);
}
