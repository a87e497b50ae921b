//! Histories that were taken in before: after a start, and after a reorg past finality, every event
//! is held against the ledger before anything of it is written or signed.

use crate::{
    amount::TokenAmount,
    block::{BlockNumber, Seq},
    book::Book,
    bridge::{Bridge, Config, view_config},
    chain_view::ChainView,
    checkpoint::{Cursor, Persisted},
    command::{Notice, Output},
    halt::{Cause, Entry, Evidence, Told},
    id::{Kind, TransferId},
    op::{Comparison, Op},
    posting::{self, Credit},
    supersede,
    transfer::NewTransfer,
    vault_event::{Outcome, VaultEvent, VaultLog},
};

/// Where the comparison of an old history with the ledger stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// Event by event, up to the newest final block.
    History,
    /// Numbers that were taken in once and that the chain does not have any more; over when so
    /// many operations are finished.
    Tail(u64),
    /// Nothing old is left: from here on every number is used for the first time.
    Done,
}

/// Vanished events that are compared at once: their number is that of one reorg.
const TAIL_MAX: usize = 65_536;

impl Bridge {
    /// True while nothing may be signed, for the history is still held against the ledger.
    pub(crate) fn is_comparing(&self) -> bool {
        self.replay != Replay::Done
    }

    /// How often the deposits of this number were superseded.
    pub(crate) fn attempt(&self, seq: Seq) -> u8 {
        supersede::attempt(&self.config.superseded, seq)
    }

    /// A final block was replaced. Where the events are still the same that is an alarm only: they
    /// are all read again. Before the vault's own block nothing can be read again.
    pub(crate) fn on_contradiction(&mut self, evidence: Evidence, out: &mut Output) {
        let origin = self.config.origin.number;
        let is_later = |number: BlockNumber| number > origin;
        if matches!(evidence, Evidence::FinalBlockReplaced { number, .. } if is_later(number)) {
            self.rewind(evidence, out);
        } else if Cause::from(&evidence).halts() {
            self.halt(evidence, out);
        } else {
            out.notices.push(Notice::Suspect(evidence));
        }
    }

    /// Starts over, as with an empty store; what was sent to the chain is remembered. What is
    /// forgotten is written with the next checkpoint, which says where to read it again from.
    fn rewind(&mut self, evidence: Evidence, out: &mut Output) {
        let open: Vec<Seq> = self.book.iter().map(|w| w.seq).collect();
        for seq in open {
            self.forget(seq);
        }
        let origin = Cursor { block: self.config.origin, next_seq: Seq(1) };
        self.book = Book::default();
        self.view = ChainView::new(view_config(&self.config), origin);
        self.pipeline.clear();
        self.marks.clear();
        self.acked = origin;
        self.foretold.clear();
        self.replay = Replay::History;
        if let Some(reserves) = &mut self.reserves {
            reserves.forget();
        }
        out.notices.push(Notice::Rereading(evidence));
    }

    /// The chain does not know it.
    pub(crate) fn drop_withdrawal(&mut self, seq: Seq) {
        self.forgotten.extend(self.book.remove(seq).map(|w| w.seq));
    }

    /// In a replay: what the ledger may hold under the numbers of this event.
    pub(crate) fn compare(&mut self, log: &VaultLog) {
        if !self.is_comparing() {
            return;
        }
        let (deposit, main) = match &log.event {
            VaultEvent::Deposited(d) => {
                let credit = self.credit(log, d).ok();
                (credit.map(|c| posting::deposit(self.instance, &c, false)), None)
            }
            VaultEvent::Requested(request) => {
                let withdrawal = self.rules().withdrawal(log.seq, request).ok();
                let chain = withdrawal.map(|w| posting::reservation(self.instance, &w));
                (None, chain.map(|[_, main]| main))
            }
            VaultEvent::Withdrawal(_)
            | VaultEvent::Listed(_)
            | VaultEvent::Delisted(_)
            | VaultEvent::Claimed
            | VaultEvent::NonceInvalidated => (None, None),
        };
        self.push_comparison(log.seq, Told::of(&log.event), deposit, main);
    }

    fn push_comparison(
        &mut self,
        seq: Seq,
        chain: Told,
        deposit: Option<NewTransfer>,
        main: Option<NewTransfer>,
    ) {
        let attempt = self.attempt(seq);
        self.pipeline.push(Op::Compare(Box::new(Comparison {
            seq,
            chain,
            deposit: (TransferId::attempt(self.instance, Kind::Deposit, seq, attempt), deposit),
            main: (TransferId::chain_event(self.instance, Kind::Main, seq), main),
            is_superseded: attempt > 0,
        })));
    }

    /// Once the history is compared: numbers that the chain does not have any more must not be in
    /// the ledger either. They may still come again while the chain is shorter than it was.
    pub(crate) fn go_on_comparing(&mut self) {
        let cursor = self.view.cursor();
        match self.replay {
            Replay::History if self.is_up_to_date() && cursor.block.number >= self.reach.block => {
                let gone = cursor.next_seq.0..self.reach.next_seq.0;
                for seq in gone.take(TAIL_MAX) {
                    self.push_comparison(Seq(seq), Told::Nothing, None, None);
                }
                self.replay = Replay::Tail(self.pipeline.enqueued());
            }
            Replay::Tail(operations) if self.pipeline.finished() >= operations => {
                self.reach.next_seq = cursor.next_seq;
                self.replay = Replay::Done;
            }
            Replay::History | Replay::Tail(_) | Replay::Done => {}
        }
    }

    /// What the chain says of a withdrawal.
    pub(crate) fn told(&self, seq: Seq, outcome: Option<Outcome>) -> Told {
        self.book.get(seq).map_or(Told::Step { request: seq, outcome }, |w| {
            Told::request(&w.request, w.outcome.or(outcome))
        })
    }

    /// Both versions of a withdrawal.
    pub(crate) fn withdrawal_differs(
        &self,
        seq: Seq,
        outcome: Option<Outcome>,
        ledger: Option<Entry>,
    ) -> Evidence {
        Evidence::WithdrawalDiffers { seq, chain: self.told(seq, outcome), ledger }
    }

    /// Both versions of a deposit.
    pub(crate) fn deposit_differs(&self, credit: &Credit, ledger: Option<Entry>) -> Evidence {
        let Credit { seq, owner, amount, .. } = *credit;
        let divisor = self.listings.get(&credit.ledger).map_or(1, |l| l.divisor.get());
        let amount = TokenAmount(amount.0.saturating_mul(divisor));
        let chain = Told::Deposit { owner, ledger: credit.ledger, amount };
        Evidence::DepositDiffers { seq, chain, ledger }
    }
}

/// A record was approved since the store was written: what it knows of may be of the history that is
/// superseded, so everything is taken in again. The withdrawals to forget.
pub(crate) fn forget_superseded(config: &Config, persisted: &mut Persisted) -> Vec<Seq> {
    let origin = Cursor { block: config.origin, next_seq: Seq(1) };
    let records = config.superseded.len();
    let Some(checkpoint) = persisted.checkpoint.as_mut().filter(|c| c.records != records) else {
        return Vec::new();
    };
    checkpoint.reach = checkpoint.reach.or(checkpoint.cursor);
    checkpoint.cursor = origin;
    checkpoint.blocked.clear();
    checkpoint.foretold.clear();
    std::mem::take(&mut persisted.withdrawals).into_iter().map(|w| w.seq).collect()
}
