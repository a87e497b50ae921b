//! One daemon: the production driver over simulated ports and disk.

use crate::disk::{Disk, Records, SimStore};
use alloy_primitives::Bytes;
use bridge_core::{
    block::{Millis, Seq},
    bridge::{Bridge, Config},
    command::{ChainCommand, Command, LedgerCommand, Notice, PayoutCommand},
    driver::{Driver, Ports},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// A daemon and its disk.
#[derive(Debug)]
pub struct Daemon {
    /// The process; `None` while it is down.
    pub driver: Option<Driver<SimStore>>,
    /// Survives the process.
    pub disk: Rc<RefCell<Disk>>,
    /// Counts processes: answers to an earlier one reach nobody.
    pub epoch: u32,
    /// Its clock against the world's, milliseconds.
    pub skew_ms: i64,
    /// What it is started with.
    pub config: Config,
    /// Older copies of the store.
    pub copies: Vec<Records>,
    /// By withdrawal, what this process last learned from a lookup: pending there, resolve there.
    pub looked_up: BTreeMap<Seq, (bool, bool)>,
    /// By nonce, the withdrawals that this process had a transaction built for.
    pub planned: BTreeMap<u64, BTreeSet<Seq>>,
    /// By nonce, signatures that the vault refused in a trial whose answer is on its way.
    pub tried: BTreeMap<u64, Vec<(Seq, Bytes)>>,
    /// Signatures that the vault refused in a trial, of which this process has heard.
    pub refused: BTreeSet<(Seq, Bytes)>,
    /// False heads since the last true one.
    pub lies: u32,
    /// The first event that it had not read when history contradicted itself.
    pub unread: Seq,
    /// True once it was seen halted.
    pub halted: bool,
    /// How often it asked for payouts to be paused on chain.
    pub pauses: u32,
    /// True if this disk holds a halt that must survive restarts.
    pub must_stay_halted: bool,
}

/// Commands and notices of one step, in order.
#[derive(Debug)]
pub struct Outbox {
    disk: Rc<RefCell<Disk>>,
    /// Commits begun when the first command was handed over.
    handed_at: Option<u64>,
    /// For the adapters.
    pub commands: Vec<Command>,
    /// For people.
    pub notices: Vec<Notice>,
}

impl Outbox {
    /// An empty one, beside the disk of its daemon.
    #[must_use]
    pub const fn new(disk: Rc<RefCell<Disk>>) -> Self {
        Self { disk, handed_at: None, commands: Vec::new(), notices: Vec::new() }
    }

    /// True if a command was handed over before the step's changes were written.
    #[must_use]
    pub fn was_early(&self) -> bool {
        self.handed_at.is_some_and(|at| at < self.disk.borrow().commits)
    }

    fn hand(&mut self, command: Command) {
        self.handed_at = self.handed_at.or_else(|| Some(self.disk.borrow().commits));
        self.commands.push(command);
    }
}

impl Ports for Outbox {
    fn chain(&mut self, command: ChainCommand) {
        self.hand(Command::Chain(command));
    }

    fn ledger(&mut self, command: LedgerCommand) {
        self.hand(Command::Ledger(command));
    }

    fn payout(&mut self, command: PayoutCommand) {
        self.hand(Command::Payout(command));
    }

    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}

impl Daemon {
    /// A daemon that has not started yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            driver: None,
            disk: Rc::default(),
            epoch: 0,
            skew_ms: 0,
            config,
            copies: Vec::new(),
            looked_up: BTreeMap::new(),
            planned: BTreeMap::new(),
            tried: BTreeMap::new(),
            refused: BTreeSet::new(),
            lies: 0,
            unread: Seq(0),
            halted: false,
            pauses: 0,
            must_stay_halted: false,
        }
    }

    /// Starts the process from what the disk holds.
    ///
    /// # Errors
    /// If the core cannot read its own records or refuses to start on them.
    pub fn start(&mut self) -> Result<(), String> {
        let persisted = self.disk.borrow_mut().load()?;
        let bridge = Bridge::new(self.config.clone(), persisted).map_err(|e| e.to_string())?;
        self.driver = Some(Driver::new(bridge, SimStore(self.disk.clone())));
        self.epoch += 1;
        self.looked_up.clear();
        self.planned.clear();
        self.tried.clear();
        self.refused.clear();
        self.lies = 0;
        Ok(())
    }

    /// Kills the process: everything but the disk is gone.
    pub fn kill(&mut self) {
        self.driver = None;
        self.epoch += 1;
    }

    /// The core, while the process runs.
    #[must_use]
    pub fn bridge(&self) -> Option<&Bridge> {
        self.driver.as_ref().map(Driver::bridge)
    }

    /// The daemon's clock.
    #[must_use]
    pub fn clock(&self, world_ms: u64) -> Millis {
        Millis((1_700_000_000_000 + world_ms).saturating_add_signed(self.skew_ms))
    }
}
