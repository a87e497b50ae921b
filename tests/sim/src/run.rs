//! Runs seeds, and makes a failing one small enough to read.

use crate::{
    coverage::Coverage,
    fault::{Fault, FaultSet},
    world::{Options, Report, World},
};

/// Runs one seed.
#[must_use]
pub fn run(options: Options, coverage: &mut Coverage) -> Report {
    World::new(options, coverage).run()
}

/// The smallest set of fault kinds with which a seed still breaks the same invariant.
#[must_use]
pub fn shrink(seed: u64, faults: FaultSet, invariant: &str) -> FaultSet {
    let breaks = |allowed| {
        let options = Options { seed, allowed, trace: false };
        let report = run(options, &mut Coverage::default());
        report.violation.is_some_and(|v| v.invariant == invariant)
    };
    let mut smallest = faults;
    loop {
        let before = smallest;
        for fault in Fault::ALL {
            let without = smallest.without(*fault);
            if smallest.has(*fault) && breaks(without) {
                smallest = without;
            }
        }
        if smallest == before {
            return smallest;
        }
    }
}
