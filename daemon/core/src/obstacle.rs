//! What keeps an authorised or reserved withdrawal from being paid just now.

use serde::{Deserialize, Serialize};

/// Why nothing was sent for a withdrawal; it is tried again after a growing, bounded pause.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The payout signers' quorum did not sign.
    SignersAway,
    /// The node, or the submitter's key, did not answer.
    NodeAway,
    /// The vault does not accept the signatures any more: they are dropped and asked for anew.
    SignersChanged,
    /// The vault's payouts are paused.
    PayoutsPaused,
    /// The vault's newest state of the withdrawal allows neither payout nor refusal.
    AlreadyEnded,
    /// Past its deadline at the newest block.
    DeadlinePassed,
    /// The vault holds less than the payout needs.
    VaultShort,
    /// The token's payout budget is used up; it refills with time.
    BudgetExhausted,
    /// The configured gas limit cannot give the recipient its allowance.
    GasLimitTooLow,
    /// Its window in the contract's queue is still open.
    WindowOpen,
    /// Its time in the contract's queue is over at the newest block.
    QueueExpired,
    /// The submitter cannot pay for the gas of it.
    GasMoneyShort,
    /// Another revert.
    Reverted,
}

impl Obstacle {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::SignersAway,
        Self::NodeAway,
        Self::SignersChanged,
        Self::PayoutsPaused,
        Self::AlreadyEnded,
        Self::DeadlinePassed,
        Self::VaultShort,
        Self::BudgetExhausted,
        Self::GasLimitTooLow,
        Self::WindowOpen,
        Self::QueueExpired,
        Self::GasMoneyShort,
        Self::Reverted,
    ];

    /// Its name in status and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignersAway => "signers_away",
            Self::NodeAway => "node_away",
            Self::SignersChanged => "signers_changed",
            Self::PayoutsPaused => "payouts_paused",
            Self::AlreadyEnded => "already_ended",
            Self::DeadlinePassed => "deadline_passed",
            Self::VaultShort => "vault_short",
            Self::BudgetExhausted => "budget_exhausted",
            Self::GasLimitTooLow => "gas_limit_too_low",
            Self::WindowOpen => "window_open",
            Self::QueueExpired => "queue_expired",
            Self::GasMoneyShort => "gas_money_short",
            Self::Reverted => "reverted",
        }
    }

    /// What the person who waits should know.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::SignersAway => "not enough payout signers signed; they are asked again",
            Self::NodeAway => "the node did not answer; it is asked again",
            Self::SignersChanged => "the payout signers changed; it is signed again",
            Self::PayoutsPaused => "the vault's payouts are paused; they go on when that ends",
            Self::AlreadyEnded => "it has ended on chain already; that block is not final yet",
            Self::DeadlinePassed => "its deadline has passed; the amount is free again once final",
            Self::VaultShort => "the vault holds too little of the token; the operator must look",
            Self::BudgetExhausted => {
                "the token's payout budget is used up for now; it is paid when it has refilled"
            }
            Self::GasLimitTooLow => "the operator's gas limit is too low for this recipient",
            Self::WindowOpen => "the contract still counts the blocks of its window",
            Self::QueueExpired => {
                "its time in the queue is over; it is cancelled once that is final"
            }
            Self::GasMoneyShort => "the operator has to fill up the gas money first",
            Self::Reverted => "the vault would refuse the payout; the operator must look",
        }
    }

    /// True if the vault itself said no to a trial at its newest state: the same bytes in a block
    /// would only burn gas.
    #[must_use]
    pub const fn is_revert(self) -> bool {
        !matches!(self, Self::SignersAway | Self::NodeAway | Self::GasMoneyShort)
    }
}
