//! The kinds of trouble a world can make. A seed enables some of them; the same draws are made
//! whether or not a kind is enabled, so that leaving one out disturbs the rest as little as possible.

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name on the command line and in tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// By its name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}
pub(crate) use named;

named! {
    /// A kind of trouble.
    Fault {
        /// Blocks below finality are replaced; transactions land elsewhere or are dropped.
        Reorg = "reorg",
        /// A node is some blocks behind.
        Lag = "lag",
        /// Two nodes behind one address, on different branches; parts of one answer may mix them.
        TwoNodes = "two-nodes",
        /// A range answered with some or all logs missing.
        MissingLogs = "missing-logs",
        /// A wrong block, hash, counter or log in an answer.
        Lie = "lie",
        /// Errors and cut connections.
        NodeError = "node-error",
        /// Answers that take long and are old when they come.
        Slow = "slow",
        /// The node's limit on ranges.
        RangeLimit = "range-limit",
        /// An endpoint that does not answer for a while.
        EndpointDown = "endpoint-down",
        /// One of three endpoints tells an invented story all the time, where two must agree.
        Liar = "liar",
        /// A ledger request executed, its answer lost.
        LostReply = "lost-reply",
        /// A request given up on executes much later, after others.
        LateExecution = "late-execution",
        /// The session ends: every outstanding request is unknown.
        Eviction = "eviction",
        /// The server takes small batches only.
        BatchLimit = "batch-limit",
        /// The process dies, at any point of the driver.
        Crash = "crash",
        /// A crash leaves the store unreadable; it is moved away.
        TornWrite = "torn-write",
        /// An older copy of the store comes back.
        StaleStore = "stale-store",
        /// The store is deleted.
        DeletedStore = "deleted-store",
        /// A second daemon with its own store.
        TwoDaemons = "two-daemons",
        /// Payout signers that are away or refuse.
        SignerAway = "signer-away",
        /// Transactions fall out of the pool.
        PoolDrop = "pool-drop",
        /// Somebody else uses the submitter's key.
        StrangeNonce = "strange-nonce",
        /// The engine's clock jumps.
        ClockJump = "clock-jump",
        /// Blocks claim times far ahead.
        BlockTime = "block-time",
        /// Requests without money, floods, dust.
        Hostile = "hostile",
        /// Signed tickets submitted by their owners, also late.
        SelfSubmit = "self-submit",
        /// Gates are closed and opened by the operator.
        Frozen = "frozen",
        /// Account ids that belong to somebody else already.
        TakenAccount = "taken-account",
        /// A ledger number registered for another token.
        TakenLedger = "taken-ledger",
        /// Pushes fail: payouts are deferred.
        FailingPush = "failing-push",
        /// Base fees rise: transactions need replacement.
        FeeSpike = "fee-spike",
        /// Payouts are paused for a while.
        Pause = "pause",
        /// The vault gets other payout signers.
        SignersRotated = "signers-rotated",
        /// Large payouts wait in the contract's queue.
        Queue = "queue",
        /// History contradicts itself for good: the daemon must halt.
        Contradiction = "contradiction",
    }
}

/// A set of [`Fault`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSet(u64);

impl FaultSet {
    /// Every kind.
    pub const ALL: Self = Self((1 << Fault::ALL.len()) - 1);
    /// No kind.
    pub const NONE: Self = Self(0);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u64)
    }

    /// The set without one.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u64))
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it is in.
    #[must_use]
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u64) != 0
    }

    /// All in it.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |f| self.has(*f))
    }
}

impl std::fmt::Display for FaultSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.iter().map(Fault::name).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}
