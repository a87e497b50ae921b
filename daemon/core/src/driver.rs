//! apply → persist → execute. This order exists here and nowhere else.

use crate::{
    block::Millis,
    bridge::Bridge,
    checkpoint::Change,
    command::{ChainCommand, Command, LedgerCommand, Notice, PayoutCommand},
    event::Event,
};

/// Where checkpoints and outbox go.
pub trait Store {
    /// Why a write failed.
    type Error;

    /// Makes all changes durable together, or none of them; returns once they are on disk.
    ///
    /// # Errors
    /// If they are not durable; the driver then executes nothing of the step.
    fn commit(&mut self, changes: &[Change]) -> Result<(), Self::Error>;
}

/// The adapters. Orders are handed over, never waited for: what comes of them is an event.
pub trait Ports {
    /// To the chain adapter.
    fn chain(&mut self, command: ChainCommand);
    /// To the ledger adapter.
    fn ledger(&mut self, command: LedgerCommand);
    /// To the payout adapter.
    fn payout(&mut self, command: PayoutCommand);
    /// To logs and counters.
    fn notice(&mut self, notice: Notice);
}

/// The core with its store.
#[derive(Debug)]
pub struct Driver<S> {
    bridge: Bridge,
    store: S,
}

impl<S: Store> Driver<S> {
    /// Puts them together.
    pub const fn new(bridge: Bridge, store: S) -> Self {
        Self { bridge, store }
    }

    /// Takes in one fact, makes what follows durable, then acts.
    ///
    /// # Errors
    /// If the store failed: nothing of this step was executed and the driver must not be used on.
    pub fn step(
        &mut self,
        event: Event,
        now: Millis,
        ports: &mut impl Ports,
    ) -> Result<(), S::Error> {
        let output = self.bridge.apply(event, now);
        if !output.changes.is_empty() {
            self.store.commit(&output.changes)?;
        }
        for command in output.commands {
            match command {
                Command::Chain(c) => ports.chain(c),
                Command::Ledger(c) => ports.ledger(c),
                Command::Payout(c) => ports.payout(c),
            }
        }
        output.notices.into_iter().for_each(|n| ports.notice(n));
        Ok(())
    }

    /// The core, to look at.
    pub const fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// The store, to close.
    pub fn into_store(self) -> S {
        self.store
    }
}
