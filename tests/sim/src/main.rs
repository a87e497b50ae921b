//! `bridge-sim`: runs seeds on all cores; stops at the first violation and says how to replay it.

use bridge_sim::{
    coverage::Coverage,
    fault::{Fault, FaultSet},
    run::{run, shrink},
    world::{Options, Report},
};
use std::{
    fmt::Write as _,
    io::Write as _,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const USAGE: &str = "usage: bridge-sim [--seeds N] [--first S] [--jobs J] [--only KIND,…] \
[--without KIND,…] [--regressions FILE] [--trace] [--coverage]
  --seeds N        how many seeds to run (2000)
  --first S        the first of them (1)
  --jobs J         threads (all cores)
  --only KIND,…    no other kinds of trouble
  --without KIND,… not these kinds
  --regressions F  seeds that once failed, one a line; run first
  --trace          print the history of each seed
  --coverage       print the coverage table; from 100,000 seeds on a zero in it fails the run";
/// Seeds from which on every cell of the coverage table must be hit.
const COVERAGE_SEEDS: u64 = 100_000;
/// Seeds that a thread takes at a time.
const CHUNK: u64 = 16;
/// Lines of the history that a violation prints.
const TAIL: usize = 60;

#[derive(Clone, Debug)]
struct Arguments {
    seeds: u64,
    first: u64,
    jobs: usize,
    allowed: FaultSet,
    regressions: Vec<u64>,
    trace: bool,
    coverage: bool,
}

fn say(text: &str) {
    // A closed pipe is no reason to fail.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(reason) => {
            say(&format!("{reason}\n{USAGE}"));
            return ExitCode::from(64);
        }
    };
    if arguments.trace {
        return trace(&arguments);
    }
    for seed in &arguments.regressions {
        let options = Options { seed: *seed, allowed: FaultSet::ALL, trace: false };
        if run(options, &mut Coverage::default()).violation.is_some() {
            say("a seed that once failed fails again");
            explain(*seed, FaultSet::ALL, 1);
            return ExitCode::FAILURE;
        }
    }
    if !arguments.regressions.is_empty() {
        say(&format!("{} seeds that once failed hold", arguments.regressions.len()));
    }
    campaign(&arguments)
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        seeds: 2_000,
        first: 1,
        jobs: thread::available_parallelism().map_or(1, usize::from),
        allowed: FaultSet::ALL,
        regressions: Vec::new(),
        trace: false,
        coverage: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seeds" => arguments.seeds = number(&value()?)?,
            "--first" => arguments.first = number(&value()?)?,
            "--jobs" => arguments.jobs = usize::try_from(number(&value()?)?).unwrap_or(1).max(1),
            "--only" => arguments.allowed = arguments.allowed.and(kinds(&value()?)?),
            "--without" => {
                let without = kinds(&value()?)?;
                arguments.allowed =
                    without.iter().fold(arguments.allowed, |set, kind| set.without(kind));
            }
            "--regressions" => arguments.regressions = regressions(&value()?)?,
            "--trace" => arguments.trace = true,
            "--coverage" => arguments.coverage = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(arguments)
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is no number"))
}

fn kinds(text: &str) -> Result<FaultSet, String> {
    text.split(',').filter(|name| *name != "none").try_fold(FaultSet::NONE, |set, name| {
        let kind = Fault::named(name).ok_or_else(|| format!("{name} is no kind of trouble"))?;
        Ok(set.with(kind))
    })
}

fn regressions(path: &str) -> Result<Vec<u64>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let seeds = text.lines().filter_map(|line| line.split('#').next()?.split_whitespace().next());
    seeds.map(number).collect()
}

fn trace(arguments: &Arguments) -> ExitCode {
    let mut failed = false;
    for seed in arguments.first..arguments.first + arguments.seeds {
        let options = Options { seed, allowed: arguments.allowed, trace: true };
        let report = run(options, &mut Coverage::default());
        report.history.iter().for_each(|line| say(line));
        failed |= report.violation.is_some();
        say(&summary(seed, &report));
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn summary(seed: u64, report: &Report) -> String {
    let end = report.violation.as_ref().map_or("holds", |v| v.invariant);
    let Report { steps, faults, digest, .. } = report;
    format!("seed {seed}: {steps} steps, digest {digest:016x}, trouble {faults}: {end}")
}

#[derive(Debug, Default)]
struct Tally {
    coverage: Coverage,
    steps: u64,
    failing: Option<u64>,
}

fn campaign(arguments: &Arguments) -> ExitCode {
    let started = Instant::now();
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let tally = Mutex::new(Tally::default());
    let work = || {
        let mut own = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            let until = (from + CHUNK).min(arguments.seeds);
            for n in from..until {
                let seed = arguments.first + n;
                let options = Options { seed, allowed: arguments.allowed, trace: false };
                let report = run(options, &mut own.coverage);
                own.steps += report.steps;
                if report.violation.is_some() {
                    own.failing = Some(own.failing.map_or(seed, |s| s.min(seed)));
                    stop.store(true, Ordering::Relaxed);
                    break;
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            if from >= arguments.seeds {
                break;
            }
        }
        if let Ok(mut all) = tally.lock() {
            all.coverage.add(&own.coverage);
            all.steps += own.steps;
            all.failing = [all.failing, own.failing].into_iter().flatten().min();
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.jobs).map(|_| scope.spawn(work)).collect();
        let mut told = Instant::now();
        while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::park_timeout(Duration::from_millis(20));
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                progress(done.load(Ordering::Relaxed), started, arguments);
            }
        }
    });
    let tally = tally.into_inner().unwrap_or_default();
    conclude(&tally, done.into_inner(), started, arguments)
}

fn progress(done: u64, started: Instant, arguments: &Arguments) {
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = done as f64 / seconds;
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let per_job = rate / arguments.jobs as f64;
    say(&format!(
        "{done} seeds in {seconds:.1} s: {rate:.0} seeds/s, {per_job:.0} seeds/s on each of {} \
         threads",
        arguments.jobs
    ));
}

fn conclude(tally: &Tally, done: u64, started: Instant, arguments: &Arguments) -> ExitCode {
    progress(done, started, arguments);
    if let Some(seed) = tally.failing {
        explain(seed, arguments.allowed, seed - arguments.first + 1);
        return ExitCode::FAILURE;
    }
    let average = tally.steps / done.max(1);
    say(&format!("{done} seeds hold, {average} steps a seed"));
    if !arguments.coverage {
        return ExitCode::SUCCESS;
    }
    say(&tally.coverage.table());
    let (least, transition, fault) = tally.coverage.smallest();
    say(&format!("least hit: {} under {}, {least} times", transition.name(), fault.name()));
    let zeros = tally.coverage.zeros();
    for (transition, fault) in &zeros {
        say(&format!("never hit: {} under {}", transition.name(), fault.name()));
    }
    let enough = done >= COVERAGE_SEEDS && arguments.allowed == FaultSet::ALL;
    if zeros.is_empty() || !enough { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what a seed breaks, with the fewest kinds of trouble, and how to replay it.
fn explain(seed: u64, allowed: FaultSet, seeds: u64) {
    let options = |allowed, trace| Options { seed, allowed, trace };
    let report = run(options(allowed, false), &mut Coverage::default());
    let Some(violation) = report.violation else {
        say(&format!("seed {seed} failed once and holds now: the simulator is not deterministic"));
        return;
    };
    let smallest = shrink(seed, report.faults, violation.invariant);
    let small = run(options(smallest, true), &mut Coverage::default());
    let tail = small.history.len().saturating_sub(TAIL);
    small.history[tail..].iter().for_each(|line| say(line));
    let mut text = String::new();
    let detail = small.violation.map_or(violation.detail, |v| v.detail);
    let _ = writeln!(text, "\nVIOLATION of \"{}\"\n  {detail}", violation.invariant);
    let _ = writeln!(text, "  seed {seed}, found after {seeds} seeds, step {}", small.steps);
    let _ = writeln!(text, "  trouble it takes: {smallest}");
    let _ = write!(
        text,
        "  whole history: scripts/sim --first {seed} --seeds 1 --trace --only {smallest}"
    );
    say(&text);
}
