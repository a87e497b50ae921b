//! One daemon: the production driver over simulated ports and disk.

use crate::disk::{Disk, Records, SimStore};
use bridge_core::{
    block::{Millis, Seq},
    bridge::{Bridge, Config},
    command::{ChainCommand, Command, LedgerCommand, Notice, PayoutCommand},
    driver::{Driver, Ports},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

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
    /// False heads since the last true one.
    pub lies: u32,
    /// True once it was seen halted.
    pub halted: bool,
    /// How often it asked for payouts to be paused on chain.
    pub pauses: u32,
    /// True if this disk holds a halt that must survive restarts.
    pub must_stay_halted: bool,
}

/// Commands and notices of one step, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// For the adapters.
    pub commands: Vec<Command>,
    /// For people.
    pub notices: Vec<Notice>,
}

impl Ports for Outbox {
    fn chain(&mut self, command: ChainCommand) {
        self.commands.push(Command::Chain(command));
    }

    fn ledger(&mut self, command: LedgerCommand) {
        self.commands.push(Command::Ledger(command));
    }

    fn payout(&mut self, command: PayoutCommand) {
        self.commands.push(Command::Payout(command));
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
            lies: 0,
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
