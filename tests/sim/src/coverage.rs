//! Which transitions happened under which kinds of trouble.

use crate::fault::{Fault, FaultSet, named};
use std::fmt::Write as _;

named! {
    /// Something that moved for good.
    Transition {
        /// A deposit was credited.
        Deposited = "deposit credited",
        /// A deposit's transfer was sent again and existed.
        DepositReplayed = "deposit replayed",
        /// A deposit went to SUSPENSE.
        Suspended = "deposit to SUSPENSE",
        /// A pending was made.
        Reserved = "reserved",
        /// A reservation was sent again and existed.
        ReservationReplayed = "reservation replayed",
        /// The balance did not cover a request.
        RefusedFunds = "refused: funds",
        /// The gate was closed.
        RefusedFrozen = "refused: frozen",
        /// The account belonged to somebody else.
        RefusedTaken = "refused: taken",
        /// A refusal repeated because its id is burnt.
        RefusalReplayed = "refusal replayed",
        /// Signers signed a payout.
        SignedPayout = "payout signed",
        /// Signers signed a refusal.
        SignedRefusal = "refusal signed",
        /// Several under one root.
        SignedBatch = "several signed",
        /// A trial at the newest block said no: nothing was sent.
        Held = "held back",
        /// A large payout's window was over: a transaction finalizes it.
        Finalized = "finalized",
        /// A large payout expired in the queue: a transaction closes it.
        Closed = "expired in queue",
        /// A transaction went out.
        Broadcast = "broadcast",
        /// The same bytes went out again.
        Rebroadcast = "rebroadcast",
        /// Higher fees under the same nonce.
        Replaced = "fees raised",
        /// A nonce was used and nothing came of it.
        NonceLost = "nonce lost",
        /// Paid, then posted.
        PostedPaid = "paid, posted",
        /// Deferred, then posted.
        PostedDeferred = "deferred, posted",
        /// Vetoed in the queue, then voided.
        VoidedRefused = "vetoed, voided",
        /// Cancelled on chain, then voided.
        VoidedCancelled = "cancelled, voided",
        /// Past its deadline, then voided.
        VoidedExpired = "expired, voided",
        /// The amount of a gasless withdrawal was set aside.
        OrderReserved = "order reserved",
        /// A gasless withdrawal was paid, then posted.
        OrderPosted = "order paid, posted",
        /// A gasless withdrawal could never be paid any more and was voided.
        OrderVoided = "order dead, voided",
        /// Refused and over on chain: forgotten.
        Forgotten = "refusal over",
        /// A checkpoint was written.
        Checkpoint = "checkpoint",
        /// A process started from its disk.
        Restarted = "restart",
        /// A ledger that cannot be served stopped.
        Blocked = "ledger blocked",
        /// A token's reserves ceased to add up.
        ReservesBroken = "reserves broken",
        /// They add up again.
        ReservesMended = "reserves mended",
        /// A final block was replaced: the history was read again.
        Reread = "history reread",
        /// An endpoint was set aside.
        SetAside = "endpoint set aside",
        /// An endpoint came back.
        Back = "endpoint back",
        /// The daemon halted.
        Halted = "halted",
        /// An operator's `resume` was refused.
        ResumeRefused = "resume refused",
        /// It was not.
        Resumed = "resumed",
        /// A record was approved and carried out.
        Superseded = "superseded",
    }
}

/// Counts.
#[derive(Clone, Debug)]
pub struct Coverage {
    hits: Vec<[u64; Fault::ALL.len()]>,
    totals: Vec<u64>,
}

impl Default for Coverage {
    fn default() -> Self {
        let n = Transition::ALL.len();
        Self { hits: vec![[0; Fault::ALL.len()]; n], totals: vec![0; n] }
    }
}

impl Coverage {
    /// A transition under these kinds of trouble.
    pub fn hit(&mut self, transition: Transition, under: FaultSet) {
        self.totals[transition as usize] += 1;
        for fault in under.iter() {
            self.hits[transition as usize][fault as usize] += 1;
        }
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.hits.iter_mut().zip(&other.hits) {
            ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
        self.totals.iter_mut().zip(&other.totals).for_each(|(a, b)| *a += b);
    }

    /// Cells that must not stay empty. A halt needs a contradiction, and little happens after one.
    fn counts(transition: Transition, fault: Fault) -> bool {
        let after = [
            Transition::Halted,
            Transition::Reread,
            Transition::ReservesBroken,
            Transition::ReservesMended,
            Transition::ResumeRefused,
            Transition::Resumed,
            Transition::Superseded,
        ];
        if fault == Fault::Contradiction {
            return after.contains(&transition) && !is_about_reserves(transition);
        }
        !after.contains(&transition)
    }

    /// The cells that stayed empty.
    #[must_use]
    pub fn zeros(&self) -> Vec<(Transition, Fault)> {
        let cells = Transition::ALL.iter().flat_map(|t| Fault::ALL.iter().map(move |f| (*t, *f)));
        cells
            .filter(|(t, f)| Self::counts(*t, *f) && self.hits[*t as usize][*f as usize] == 0)
            .collect()
    }

    /// The smallest count of a cell that must not stay empty.
    #[must_use]
    pub fn smallest(&self) -> (u64, Transition, Fault) {
        Transition::ALL
            .iter()
            .flat_map(|t| Fault::ALL.iter().map(move |f| (*t, *f)))
            .filter(|(t, f)| Self::counts(*t, *f))
            .map(|(t, f)| (self.hits[t as usize][f as usize], t, f))
            .min()
            .unwrap_or((0, Transition::Halted, Fault::Contradiction))
    }

    /// The table, one row a transition.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{:21}{:>10}", "transition \\ fault", "all");
        for (i, fault) in Fault::ALL.iter().enumerate() {
            let _ = writeln!(out, "{:>33} {}", format!("column {i:2}:"), fault.name());
        }
        let _ = write!(out, "{:21}{:>10}", "", "all");
        for i in 0..Fault::ALL.len() {
            let _ = write!(out, " {i:>6}");
        }
        out.push('\n');
        for t in Transition::ALL {
            let _ = write!(out, "{:21}{:>10}", t.name(), self.totals[*t as usize]);
            for f in Fault::ALL {
                let cell = self.hits[*t as usize][*f as usize];
                let text = if Self::counts(*t, *f) { short(cell) } else { "-".to_owned() };
                let _ = write!(out, " {text:>6}");
            }
            out.push('\n');
        }
        out
    }
}

const fn is_about_reserves(transition: Transition) -> bool {
    matches!(transition, Transition::ReservesBroken | Transition::ReservesMended)
}

fn short(n: u64) -> String {
    match n {
        0..=99_999 => n.to_string(),
        100_000..=99_999_999 => format!("{}k", n / 1_000),
        _ => format!("{}M", n / 1_000_000),
    }
}
