//! The world of one seed: who acts when. Everything happens in one thread, in the order of a queue.

use crate::{
    chain::{Chain, node::Endpoint},
    coverage::{Coverage, Transition},
    daemon::Daemon,
    fault::{Fault, FaultSet},
    ledger::Ledger,
    operators::Operators,
    rng::Rng,
    setup,
    signers::Signers,
    truth::Truth,
    users::Users,
};
use bridge_core::{block::Seq, command::LedgerCommand, event::Event, id::Instance};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// Steps that a seed has at least.
pub const STEPS_MIN: u64 = 200;
/// Steps of a healed world within which everything must have ended.
const HEAL_STEPS_MAX: u64 = 6_000;
/// Steps for which a fault counts as the circumstance of a transition.
const RECENT_STEPS: u64 = 120;
/// Pause between two ticks of an engine.
const TICK_MS: u64 = 90;

/// What a run is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// Kinds of trouble that may happen at all.
    pub allowed: FaultSet,
    /// Whether to write a history.
    pub trace: bool,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

/// How a run went.
#[derive(Debug)]
pub struct Report {
    /// Steps of drivers.
    pub steps: u64,
    /// Fault kinds of this seed.
    pub faults: FaultSet,
    /// The first invariant that broke.
    pub violation: Option<Violation>,
    /// The history, if it was asked for.
    pub history: Vec<String>,
    /// A number that differs as soon as two runs differ.
    pub digest: u64,
}

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Users act, trouble happens.
    Trouble,
    /// No more trouble: everything has to come to its end.
    Healing,
    /// History contradicted itself: every daemon that saw it has to halt.
    Halting,
}

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Action {
    Tick { daemon: usize },
    Mine,
    User,
    Trouble,
    Restart { daemon: usize },
    Deliver { daemon: usize, epoch: u32, event: Box<Event> },
    Arrive { request: usize },
    GiveUp { request: usize },
}

/// A request on its way to the ledger or back.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) daemon: usize,
    pub(crate) epoch: u32,
    pub(crate) command: LedgerCommand,
    /// True once its answer, whatever it was, is on its way.
    pub(crate) answered: bool,
    /// True if its answer gets lost on the way.
    pub(crate) lost: bool,
    pub(crate) executed: bool,
}

/// The streams of chance.
#[derive(Debug)]
pub(crate) struct Chances {
    pub(crate) fault: Rng,
    pub(crate) chain: Rng,
    pub(crate) user: Rng,
    pub(crate) time: Rng,
    pub(crate) signer: Rng,
}

/// Everything.
#[derive(Debug)]
pub struct World<'a> {
    pub(crate) options: Options,
    pub(crate) chances: Chances,
    pub(crate) faults: FaultSet,
    pub(crate) phase: Phase,
    recent: [u64; Fault::ALL.len()],
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    actions: Vec<Option<Action>>,
    pub(crate) chain: Chain,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) ledger: Ledger,
    pub(crate) ledger_limit: usize,
    pub(crate) daemons: Vec<Daemon>,
    pub(crate) flights: Vec<Flight>,
    pub(crate) truth: Truth,
    pub(crate) users: Users,
    pub(crate) instance: Instance,
    pub(crate) signers: Signers,
    pub(crate) operators: Operators,
    /// Withdrawals that a node showed unpaid at a block after their deadline.
    pub(crate) shown_unpaid: BTreeSet<Seq>,
    /// Operator's closing transfers of gates, newest per owner.
    pub(crate) frozen: BTreeMap<alloy_primitives::Address, u128>,
    pub(crate) coverage: &'a mut Coverage,
    pub(crate) steps: u64,
    heal_from: u64,
    trouble_until: u64,
    pub(crate) checked: (u64, u64),
    violation: Option<Violation>,
    history: Vec<String>,
    digest: u64,
}

impl<'a> World<'a> {
    /// The world of a seed, before anything happens.
    #[must_use]
    pub fn new(options: Options, coverage: &'a mut Coverage) -> Self {
        let mut setup = Rng::new(options.seed, 0);
        let faults = setup::faults(&mut setup).and(options.allowed);
        let chain = setup::chain(&mut setup, options.seed, faults);
        let (config, instance) = setup::config(&mut setup, &chain);
        let endpoints = setup::endpoints(&mut setup, &chain, &config, faults);
        let truth = Truth::new(&chain);
        let stream = |purpose| Rng::new(options.seed, purpose);
        let mut world = Self {
            chances: Chances {
                fault: stream(1),
                chain: stream(2),
                user: stream(3),
                time: stream(4),
                signer: stream(5),
            },
            faults,
            phase: Phase::Trouble,
            recent: [0; Fault::ALL.len()],
            now: 0,
            queue: BinaryHeap::new(),
            actions: Vec::new(),
            endpoints,
            ledger: Ledger::default(),
            ledger_limit: usize::MAX,
            daemons: vec![Daemon::new(config)],
            flights: Vec::new(),
            truth,
            users: Users::new(&chain),
            instance,
            signers: Signers::default(),
            operators: Operators::default(),
            shown_unpaid: BTreeSet::new(),
            frozen: BTreeMap::new(),
            chain,
            coverage,
            steps: 0,
            heal_from: 0,
            trouble_until: setup.between(120, 260),
            checked: (0, 0),
            violation: None,
            history: Vec::new(),
            digest: options.seed,
            options,
        };
        world.prepare(&mut setup);
        world
    }

    /// Runs to the end.
    #[must_use]
    pub fn run(mut self) -> Report {
        while self.violation.is_none() && !self.is_over() {
            let Some(Reverse((at, _, index))) = self.queue.pop() else { break };
            self.now = at;
            if let Some(action) = self.actions[index].take() {
                self.act(action);
            }
            self.change_phase();
            self.check_world();
        }
        if self.violation.is_none() {
            self.check_end();
        }
        let Self { steps, faults, violation, history, digest, .. } = self;
        Report { steps, faults, violation, history, digest }
    }

    fn is_over(&self) -> bool {
        let enough = self.steps >= STEPS_MIN;
        match self.phase {
            Phase::Trouble => false,
            Phase::Healing => enough && self.is_settled(),
            Phase::Halting => self.operators.are_done,
        }
    }

    fn change_phase(&mut self) {
        if self.phase == Phase::Trouble && self.steps >= self.trouble_until {
            self.begin_healing();
            self.heal();
        }
        let enough = self.steps >= STEPS_MIN;
        if self.phase == Phase::Halting && enough && self.have_halted() {
            self.operate();
        }
        if self.phase != Phase::Trouble && self.steps > self.heal_from + HEAL_STEPS_MAX {
            let detail = self.describe_stuck();
            self.violate("progress: a healed world comes to its end", detail);
        }
    }

    /// From here on everything has to come to its end.
    pub(crate) fn begin_healing(&mut self) {
        self.heal_from = self.steps;
        self.phase = Phase::Healing;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Tick { daemon } => {
                let pause = TICK_MS + self.chances.time.below(TICK_MS);
                self.after(pause, Action::Tick { daemon });
                if self.daemons[daemon].driver.is_some() {
                    self.step(daemon, Event::Tick);
                }
            }
            Action::Mine => self.on_mine(),
            Action::User => self.on_user(),
            Action::Trouble => self.on_trouble(),
            Action::Restart { daemon } => self.restart(daemon),
            Action::Deliver { daemon, epoch, event } => {
                let alive = self.daemons[daemon].driver.is_some();
                if alive && self.daemons[daemon].epoch == epoch {
                    self.step(daemon, *event);
                }
            }
            Action::Arrive { request } => self.on_arrival(request),
            Action::GiveUp { request } => self.on_give_up(request),
        }
    }

    /// Lets something happen later.
    pub(crate) fn after(&mut self, pause_ms: u64, action: Action) {
        let index = self.actions.len();
        self.actions.push(Some(action));
        self.queue.push(Reverse((self.now + pause_ms, index as u64, index)));
    }

    /// Draws whether trouble of a kind happens now, `per_mille` in a thousand.
    pub(crate) fn roll(&mut self, fault: Fault, per_mille: u64) -> bool {
        let hit = self.chances.fault.per_mille(per_mille);
        let happens = hit && self.phase == Phase::Trouble && self.faults.has(fault);
        if happens {
            self.happened(fault);
        }
        happens
    }

    /// Trouble of a kind is a circumstance of what follows.
    pub(crate) fn happened(&mut self, fault: Fault) {
        self.recent[fault as usize] = self.steps + 1;
    }

    /// Something moved for good.
    pub(crate) fn moved(&mut self, transition: Transition) {
        let mut under = FaultSet::NONE;
        for fault in Fault::ALL {
            let since = self.recent[*fault as usize];
            if since > 0 && since + RECENT_STEPS > self.steps {
                under = under.with(*fault);
            }
        }
        self.coverage.hit(transition, under);
    }

    /// A line of the history, if one is written.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.options.trace {
            let line = line();
            self.history.push(format!("{:>6} ms step {:>4} | {line}", self.now, self.steps));
        }
    }

    /// Something that two equal runs have in common.
    pub(crate) fn note(&mut self, number: u64) {
        self.digest = crate::rng::mix(self.digest ^ number);
    }

    /// True as long as every invariant holds.
    pub(crate) const fn is_sound(&self) -> bool {
        self.violation.is_none()
    }

    /// An invariant does not hold; only the first counts.
    pub(crate) fn violate(&mut self, invariant: &'static str, detail: String) {
        if self.violation.is_none() {
            self.tell(|| format!("VIOLATION {invariant}: {detail}"));
            self.violation = Some(Violation { invariant, detail });
        }
    }
}
