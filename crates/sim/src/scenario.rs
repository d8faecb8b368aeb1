//! What is run: scenarios, many seeds of them, and every way to torture them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use fastrand::Rng;

use crate::{Application, Faults, Injury, Interruption, Report, Sim, World, play};

/// A world and an application in it, made anew from each seed.
pub trait Scenario: Sync {
    /// What it is called on the command line.
    fn name(&self) -> &'static str;

    /// What it does, in a line.
    fn about(&self) -> &'static str;

    /// About how many bytes a transfer of it has: how far faults reach, how small pieces get.
    fn size(&self) -> u64;

    /// The network's character: everything, unless the scenario cannot bear it (bits that
    /// flip, where nothing protects them).
    fn faults(&self, rng: &mut Rng) -> Faults {
        Faults::draw(rng, self.size())
    }

    /// Whether a seed gives the same bytes each time; not so where a library below draws
    /// random numbers of its own.
    fn is_exact(&self) -> bool {
        true
    }

    /// The world and the application that `rng` gives; time begins with `start`.
    ///
    /// `calm` is for a torture: always the same, and with no whims of the application.
    fn stage(&self, rng: &mut Rng, start: Instant, calm: bool) -> Stage;
}

/// What [`Scenario::stage`] makes.
pub struct Stage {
    /// What answers.
    pub world: Box<dyn World>,
    /// What asks.
    pub application: Box<dyn Application>,
}

/// A run that did not go as it should.
#[derive(Debug)]
pub struct Failure {
    /// The seed, or 0 in a torture.
    pub seed: u64,
    /// In a torture: which operation, which of the ways to injure it, and what that is.
    pub torture: Option<(u64, usize, Injury)>,
    /// What is wrong.
    pub what: String,
}

/// What came of many runs.
#[derive(Debug)]
#[non_exhaustive]
pub struct Campaign {
    /// Runs that were made.
    pub runs: u64,
    /// Runs in which something happened that a transfer may fail for.
    pub harmed: u64,
    /// Operations in all of them.
    pub operations: u64,
    /// What went wrong; a campaign ends soon after the first.
    pub failures: Vec<Failure>,
}

/// One of this many seeds is run twice, to see whether it gives the same bytes.
const TWICE: u64 = 50;

/// Runs one seed.
///
/// # Errors
/// What is wrong; a panic counts as well.
pub fn replay(scenario: &dyn Scenario, seed: u64, traced: bool) -> Result<Report, String> {
    run(scenario, seed, None, traced)
}

/// Runs `count` seeds from `from` on, on all processors.
pub fn campaign(scenario: &dyn Scenario, from: u64, count: u64) -> Campaign {
    in_parallel(count, |index| {
        let seed = from + index;
        let result = replay(scenario, seed, false);
        let result = match result {
            Ok(first) if scenario.is_exact() && index.is_multiple_of(TWICE) => {
                replay(scenario, seed, false).and_then(|second| same(first, &second))
            }
            other => other,
        };
        (seed, None, result)
    })
}

/// Counts the operations of a calm run, then runs it again with each of them injured in
/// each way that there is.
///
/// # Errors
/// The calm run itself fails.
pub fn torture(scenario: &dyn Scenario) -> Result<Campaign, String> {
    let calm = run(scenario, 0, Some(None), true)?;
    let injuries: Vec<(u64, usize, Injury)> = calm
        .operations
        .iter()
        .zip(0..)
        .flat_map(|(name, at)| {
            let ways = Injury::all(name).into_iter().enumerate();
            ways.map(move |(way, injury)| (at, way, injury))
        })
        .collect();
    Ok(in_parallel(injuries.len() as u64, |index| {
        let one @ (at, _, injury) = injuries[index as usize];
        let interruption = Interruption { at, injury };
        let result = run(scenario, 0, Some(Some(interruption)), false);
        (0, Some(one), result)
    }))
}

/// One run of a torture: operation `at` is injured in the way of that number.
///
/// # Errors
/// There is no such operation or way, or what went wrong.
pub fn tortured(scenario: &dyn Scenario, at: u64, way: usize) -> Result<Report, String> {
    let calm = run(scenario, 0, Some(None), false)?;
    let operation = usize::try_from(at)
        .ok()
        .and_then(|at| calm.operations.get(at));
    let injury = operation.and_then(|name| Injury::all(name).get(way).copied());
    let injury = injury.ok_or_else(|| {
        let count = calm.operations.len();
        format!("no way {way} for operation {at}; there are {count} operations")
    })?;
    run(scenario, 0, Some(Some(Interruption { at, injury })), true)
}

/// `calm`: a torture's run, with or without an injury.
fn run(
    scenario: &dyn Scenario,
    seed: u64,
    calm: Option<Option<Interruption>>,
    traced: bool,
) -> Result<Report, String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere; only differences from it are used"
    )]
    let start = Instant::now();
    let mut rng = Rng::with_seed(seed);
    let faults = match calm {
        None => scenario.faults(&mut rng),
        Some(_) => Faults::none(),
    };
    let went = catch_unwind(AssertUnwindSafe(|| {
        let stage = scenario.stage(&mut rng, start, calm.is_some());
        let mut sim = Sim::new(stage.world, faults, start, rng.u64(..));
        if let Some(interruption) = calm.flatten() {
            sim = sim.interrupted(interruption);
        }
        if traced {
            sim = sim.traced();
        }
        let result = play(stage.application, &mut sim);
        result.map_err(|what| {
            let lines = sim.trace().lines();
            lines
                .into_iter()
                .chain([what])
                .collect::<Vec<_>>()
                .join("\n")
        })
    }));
    went.unwrap_or_else(|panic| Err(format!("panicked: {}", message(&*panic))))
}

fn same(first: Report, second: &Report) -> Result<Report, String> {
    if first.digest == second.digest {
        Ok(first)
    } else {
        Err("the same seed gave other bytes the second time".to_owned())
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word")
}

type Outcome = (u64, Option<(u64, usize, Injury)>, Result<Report, String>);

/// Runs `one` for 0 to `count` on as many threads as there are processors.
fn in_parallel(count: u64, one: impl Fn(u64) -> Outcome + Sync) -> Campaign {
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let campaign = Mutex::new(Campaign {
        runs: 0,
        harmed: 0,
        operations: 0,
        failures: Vec::new(),
    });
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count || failed.load(Ordering::Relaxed) {
                return;
            }
            let (seed, torture, result) = one(index);
            let mut campaign = campaign.lock().unwrap_or_else(|error| error.into_inner());
            campaign.runs += 1;
            match result {
                Ok(report) => {
                    campaign.harmed += u64::from(!report.harm.is_empty());
                    campaign.operations += report.operations.len() as u64;
                }
                Err(what) => {
                    failed.store(true, Ordering::Relaxed);
                    campaign.failures.push(Failure {
                        seed,
                        torture,
                        what,
                    });
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    #[allow(
        clippy::disallowed_methods,
        reason = "each run is one thread's; which thread, it cannot see"
    )]
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    campaign
        .into_inner()
        .unwrap_or_else(|error| error.into_inner())
}
