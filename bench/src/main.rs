//! Measures sockless against libcurl, hyper and hand-written loops, all in one run.
//!
//! `sockless-bench [NAME...] [--json FILE] [--document FILE] [--rounds N] [--quick]`; started by
//! `cargo xtask bench`. `--quick` does a hundredth of the work, which shows that a benchmark runs
//! and measures nothing: no document is written. Each client runs in a process of its own, this program again,
//! so that CPU time and memory are its alone.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "benchmarks own sockets, files, clocks and processes"
)]

mod clients;
mod measure;
mod report;
mod works;

use std::path::PathBuf;
use std::process::ExitCode;

use report::Section;
use works::Bench;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [child, client, work, words @ ..] = args.as_slice()
        && child == "child"
    {
        return match clients::run(client, work, words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    match Options::parse(&args).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

struct Options {
    names: Vec<&'static str>,
    json: Option<PathBuf>,
    document: Option<PathBuf>,
    rounds: usize,
    quick: bool,
}

impl Options {
    /// An error comes with the exit code.
    fn parse(args: &[String]) -> Result<Self, (u8, String)> {
        let mut options = Self {
            names: Vec::new(),
            json: None,
            document: None,
            rounds: 9,
            quick: false,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                let missing = || (2, format!("{word} needs a value"));
                words.next().ok_or_else(missing)
            };
            match word.as_str() {
                "--json" => options.json = Some(value()?.into()),
                "--document" => options.document = Some(value()?.into()),
                "--quick" => options.quick = true,
                "--rounds" => {
                    let rounds = value()?.parse().ok().filter(|rounds| *rounds > 0);
                    options.rounds = rounds.ok_or((2, "--rounds needs a number".to_owned()))?;
                }
                name => options.names.push(known(name)?),
            }
        }
        if options.names.is_empty() {
            options.names = works::ALL.iter().map(|(name, _)| *name).collect();
        }
        Ok(options)
    }
}

fn known(name: &str) -> Result<&'static str, (u8, String)> {
    let found = works::ALL.iter().find(|(have, _)| *have == name);
    found.map(|(have, _)| *have).ok_or_else(|| {
        let names: Vec<&str> = works::ALL.iter().map(|(name, _)| *name).collect();
        (
            2,
            format!("there is no benchmark {name}, only {}", names.join(", ")),
        )
    })
}

fn run(options: &Options) -> Result<(), (u8, String)> {
    measure::bind_to(measure::SERVER_CORE);
    measure::raise_file_limit();
    if options.quick {
        println!("a hundredth of the work: no number below is a measurement\n");
    }
    let bench = Bench::new(options.rounds, options.quick);
    let mut sections: Vec<Section> = Vec::new();
    for name in &options.names {
        let work = works::ALL.iter().find(|(have, _)| have == name);
        let Some((_, work)) = work else { continue };
        match work(&bench) {
            Ok(section) => {
                println!("## {name}\n\n{}", section.markdown());
                sections.push(section);
            }
            Err(error) => println!("## {name}\n\nnot measured: {error}\n"),
        }
    }
    let fails = |message| (1, message);
    if let Some(path) = &options.json {
        report::write_json(path, &sections).map_err(fails)?;
    }
    if let Some(path) = options.document.as_ref().filter(|_| !options.quick) {
        report::write_document(path, &sections).map_err(fails)?;
    }
    Ok(())
}
