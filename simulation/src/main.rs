//! `simulate`: scenarios on a simulated network. `cargo xtask sim` builds and runs it.

use std::process::ExitCode;
use std::time::Instant;

use sockless_sim::{Campaign, Failure, Scenario};
use sockless_simulation::scenarios;

const USAGE: &str = "\
cargo xtask sim VERB

  list                               the scenarios
  seeds SCENARIO [COUNT [FROM]]      runs COUNT seeds (1000) from FROM (0) on
  replay SCENARIO SEED               runs one seed twice and prints all that happens
  torture SCENARIO                   each operation fails in each way that it can
  torture SCENARIO OPERATION:WAY     one of these runs, as a failure names it
";

fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "a command is told what to do")]
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] | ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            Ok(())
        }
        ["list"] => {
            for one in scenarios::ALL {
                println!("{:8} {}", one.name(), one.about());
            }
            Ok(())
        }
        ["seeds", name] => seeds(name, "1000", "0"),
        ["seeds", name, count] => seeds(name, count, "0"),
        ["seeds", name, count, from] => seeds(name, count, from),
        ["replay", name, seed] => replay(name, seed),
        ["torture", name] => torture(name),
        ["torture", name, which] => tortured(name, which),
        _ => Err(format!("unknown: {}\n\n{USAGE}", words.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{}", what.trim_end());
            ExitCode::FAILURE
        }
    }
}

fn scenario(name: &str) -> Result<&'static dyn Scenario, String> {
    scenarios::find(name).ok_or_else(|| {
        let names: Vec<&str> = scenarios::ALL.iter().map(|one| one.name()).collect();
        format!("no scenario {name:?}; there are {}", names.join(", "))
    })
}

fn number(text: &str, what: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no {what}: give a number from 0 on"))
}

fn seeds(name: &str, count: &str, from: &str) -> Result<(), String> {
    let scenario = scenario(name)?;
    let (count, from) = (number(count, "count")?, number(from, "seed")?);
    let began = now();
    let campaign = sockless_sim::campaign(scenario, from, count);
    report(name, "seeds", &campaign, began)
}

fn replay(name: &str, seed: &str) -> Result<(), String> {
    let scenario = scenario(name)?;
    let seed = number(seed, "seed")?;
    let first = sockless_sim::replay(scenario, seed, true)?;
    let second = sockless_sim::replay(scenario, seed, false)?;
    first.lines.iter().for_each(|line| println!("{line}"));
    if scenario.is_exact() && first.digest != second.digest {
        return Err("the second run gave other bytes: something is not deterministic".to_owned());
    }
    println!(
        "{name} {seed}: {} operations in {:?} of virtual time, twice the same bytes ({:016x}); {}",
        first.operations.len(),
        first.elapsed,
        first.digest,
        if first.harm.is_empty() {
            "no harm done".to_owned()
        } else {
            first.harm.join(", ")
        }
    );
    Ok(())
}

fn torture(name: &str) -> Result<(), String> {
    let scenario = scenario(name)?;
    let began = now();
    let campaign = sockless_sim::torture(scenario)?;
    report(name, "tortures", &campaign, began)
}

fn tortured(name: &str, which: &str) -> Result<(), String> {
    let scenario = scenario(name)?;
    let wrong = || format!("{which:?} is no OPERATION:WAY, as in 7:2");
    let (operation, way) = which.split_once(':').ok_or_else(wrong)?;
    let (operation, way) = (number(operation, "operation")?, number(way, "way")?);
    let report = sockless_sim::tortured(scenario, operation, way as usize)?;
    report.lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn report(name: &str, what: &str, campaign: &Campaign, began: Instant) -> Result<(), String> {
    println!(
        "{name}: {} {what}, {} of them harmed, {} operations, in {:.1} s",
        campaign.runs,
        campaign.harmed,
        campaign.operations,
        (now() - began).as_secs_f64()
    );
    let lines = campaign.failures.iter().map(|failure| {
        let Failure {
            seed,
            torture,
            what,
        } = failure;
        match torture {
            None => format!("{name}: seed {seed}: {what}\n  cargo xtask sim replay {name} {seed}"),
            Some((at, way, injury)) => format!(
                "{name}: operation {at}, {injury:?}: {what}\n  \
                 cargo xtask sim torture {name} {at}:{way}"
            ),
        }
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        Ok(())
    } else {
        Err(lines.join("\n"))
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long a campaign took is for people"
)]
fn now() -> Instant {
    Instant::now()
}
