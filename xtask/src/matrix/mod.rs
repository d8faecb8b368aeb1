//! `cargo xtask matrix`: every action and every fault, by each driver and scheme, through
//! the release command.

mod cases;
mod cell;
mod lab;
mod proxied;
mod report;
mod sample;
mod ssh;
mod tickets;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::Outcome;
use lab::{Cell, Lab, Verdict};
use report::Entry;

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options<'a> {
    /// Where to write the outcome of each cell.
    json: Option<&'a str>,
    /// Only cells whose `case, driver, scheme` contains this.
    filter: Option<&'a str>,
}

/// Runs the cells, prints a table, and fails if one of them does.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let options = parse(args)?;
    let lab = Lab::open()?;
    println!("{}", lab.command().display());
    let entries = run_cells(&lab, options.filter);
    if entries.is_empty() {
        return Err("the filter fits no cell".to_owned());
    }
    println!("{}\n{}", report::table(&entries), report::reasons(&entries));
    if let Some(path) = options.json {
        std::fs::write(path, report::json(&entries)).map_err(|error| format!("{path}: {error}"))?;
    }
    let [passed, failed, skipped] = report::counts(&entries);
    println!("matrix: {passed} cells passed, {failed} failed, {skipped} skipped");
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} cells of the matrix failed"))
    }
}

fn run_cells(lab: &Lab, filter: Option<&str>) -> Vec<Entry> {
    let mut unavailable: BTreeMap<Option<&str>, Option<String>> = BTreeMap::new();
    let mut entries = Vec::new();
    let mut number = 0;
    for case in all_cases() {
        for driver in lab.drivers() {
            for scheme in case.on.schemes() {
                if driver.is_some_and(|name| !sample::is_for(case.name, *scheme, name)) {
                    continue;
                }
                number += 1;
                let name = driver.unwrap_or("default");
                let title = format!("{}, {name}, {}", case.name, scheme.name());
                if filter.is_some_and(|filter| !title.contains(filter)) {
                    continue;
                }
                let begin = Instant::now();
                let missing = unavailable
                    .entry(driver)
                    .or_insert_with(|| lab.unavailable(driver));
                let no_tickets = lab.no_tickets(case, *scheme);
                let verdict = match missing.as_ref().or(no_tickets.as_ref()) {
                    Some(why) => Verdict::Skipped(why.clone()),
                    None if scheme.openssl() && !lab.has_openssl() => {
                        Verdict::Skipped("the command has no backend openssl".to_owned())
                    }
                    None if *scheme == cell::Scheme::Libssh2 && !lab.has_libssh2() => {
                        Verdict::Skipped("the command has no library libssh2".to_owned())
                    }
                    None => lab.run(Cell {
                        case,
                        scheme: *scheme,
                        driver,
                        number,
                    }),
                };
                let milliseconds = begin.elapsed().as_millis();
                let scheme = *scheme;
                entries.push(Entry {
                    case: case.name,
                    scheme,
                    driver: name,
                    verdict,
                    milliseconds,
                });
            }
        }
    }
    entries
}

fn all_cases() -> impl Iterator<Item = &'static cell::Case> {
    let groups = [
        cases::ACTIONS,
        proxied::PROXIED,
        cases::FAULTS,
        proxied::REFUSED,
        ssh::SSH,
        ssh::SSH_REFUSED,
        tickets::TICKETS,
        tickets::TICKETS_REFUSED,
    ];
    groups.into_iter().flatten()
}

fn parse<'a>(args: &[&'a str]) -> Result<Options<'a>, String> {
    let mut options = Options::default();
    let mut rest = args;
    loop {
        rest = match rest {
            [] => return Ok(options),
            ["--json", file, rest @ ..] => {
                options.json = Some(file);
                rest
            }
            ["--filter", text, rest @ ..] => {
                options.filter = Some(text);
                rest
            }
            [other, ..] => {
                return Err(format!("matrix: {other}: it is --json FILE, --filter TEXT"));
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order() {
        let options = Options {
            json: Some("f"),
            filter: Some("head"),
        };
        assert_eq!(parse(&["--filter", "head", "--json", "f"]), Ok(options));
        assert!(parse(&["--json"]).is_err());
        assert!(parse(&["head"]).is_err());
    }

    #[test]
    fn cases_have_names_of_their_own_and_faults_that_exist() {
        let mut names = std::collections::BTreeSet::new();
        for case in all_cases() {
            assert!(names.insert(case.name), "{} is there twice", case.name);
            if let cell::On::Fault(fault) = case.on {
                let known = sockless_tests::faults::ALL
                    .iter()
                    .any(|(name, _)| *name == fault);
                assert!(known, "there is no fault {fault}");
            }
        }
        let mut failing = cases::FAULTS
            .iter()
            .chain(proxied::REFUSED)
            .chain(ssh::SSH_REFUSED)
            .chain(tickets::TICKETS_REFUSED);
        assert!(failing.all(|case| case.codes[0] != 0));
    }
}
