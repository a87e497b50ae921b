//! Continuous proof of reserves: chain and ledger must add up for every token, at one final block.
//!
//! The ledger's side is taken in the pipeline, where nothing of ours is under way beside it; what
//! is on its way then counts, so that both sides speak of the same `seq`. The chain's side is read
//! by the hash of that very block. A break stops signing for its token at once; one that persists
//! over several blocks halts the bridge.

use crate::{
    amount::{LedgerAmount, TokenAmount},
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Millis, Seq},
    endpoint::EndpointId,
    hearing::{Heard, Hearing},
    id::{AccountId, TransferId},
    invariant::{Books, Holdings, Position},
};
use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// How often reserves are proved, and what a break leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservesConfig {
    /// Pause between two proofs, milliseconds.
    pub interval_ms: u64,
    /// Final blocks at which a token must break before the bridge halts.
    pub breaks_max: u32,
    /// Final blocks for which the ledger may be ahead of the chain: another daemon with a quicker
    /// node makes it so. After that it counts as a break.
    pub early_blocks_max: u64,
}

/// The ledger's answer for one VAULT account, all at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultReading {
    /// The token's ledger.
    pub ledger: LedgerId,
    /// Posted debits.
    pub debits: LedgerAmount,
    /// Posted credits.
    pub credits: LedgerAmount,
    /// The ledger's time of that instant, nanoseconds since 1970.
    pub taken_ns: u64,
    /// The newest transfers that moved it, newest first.
    pub newest: Vec<(TransferId, LedgerAmount)>,
    /// True if there are no older ones.
    pub is_complete: bool,
    /// Sums of the whole ledger; `None` where it moved meanwhile, or holds too many accounts.
    pub books: Option<Books>,
}

/// The chain's answer for one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenReading {
    /// The token's ledger.
    pub ledger: LedgerId,
    /// What the contracts say.
    pub holdings: Holdings,
}

/// The three equations.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Equation {
    /// `accounted` is what the ledger explains.
    Solvency,
    /// `balanceOf` covers `accounted + claimable`. Never halts: a token that takes fees can break it.
    Backing,
    /// Debits equal credits, and VAULT holds what is owed.
    Ledger,
}

/// An equation that does not hold.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// The token's ledger.
    pub ledger: LedgerId,
    /// Which equation.
    pub equation: Equation,
    /// The final block.
    pub number: BlockNumber,
    /// Its left side: what the chain says, or the ledger's debits.
    pub left: TokenAmount,
    /// Its right side: what the ledger explains, what must be covered, or the ledger's credits.
    pub right: TokenAmount,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ledger, number, left, right, .. } = self;
        match self.equation {
            Equation::Solvency => write!(
                f,
                "ledger {ledger}: at block {number} the vault accounts for {left} token units, the \
                 ledger explains {right}"
            ),
            Equation::Backing => write!(
                f,
                "ledger {ledger}: at block {number} the vault has {left} token units, less than the \
                 {right} that it owes"
            ),
            Equation::Ledger => write!(
                f,
                "ledger {ledger}: at block {number} debits or holdings are {left} ledger units, \
                 credits or debts {right}"
            ),
        }
    }
}

/// Where a token's proof stands.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Not proved since the start: nothing is signed for it yet.
    #[default]
    Unknown,
    /// Everything adds up.
    Proved,
    /// The ledger is ahead of what is final here; signing waits.
    Early,
    /// Something does not add up; signing waits.
    Broken,
}

/// What is shown of a token.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TokenReserves {
    /// The token's ledger.
    pub ledger: LedgerId,
    /// The token.
    #[cfg_attr(feature = "schema", schema(value_type = crate::schema::AddressText))]
    pub token: Address,
    /// Where its proof stands.
    pub proof: Proof,
    /// The last final block that was judged.
    pub block: Option<BlockNumber>,
    /// The last event that counts at that block.
    pub seq: Seq,
    /// What the contracts said.
    pub holdings: Holdings,
    /// What the ledger explained; `None` if that is negative or nothing was judged yet.
    pub explained: Option<TokenAmount>,
    /// Sums of the whole ledger, when they could be taken.
    pub books: Option<Books>,
    /// The equation that does not hold.
    pub broken: Option<Break>,
    /// Final blocks at which it did not hold, one after the other.
    pub breaks: u32,
}

/// The ledger's side of a token, waiting for the chain's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) position: Position,
    pub(crate) books: Option<Books>,
    /// Older transfers than were read may be early too: nothing can be said.
    pub(crate) is_open: bool,
}

#[derive(Debug, Default)]
enum Asked {
    #[default]
    Nothing,
    Ledger,
    Chain {
        block: BlockRef,
        seq: Seq,
        claims: BTreeMap<LedgerId, Claim>,
        hearing: Hearing,
        since: Millis,
    },
}

#[derive(Debug, Default)]
struct Token {
    proof: Proof,
    shown: Option<TokenReserves>,
    breaks: u32,
    last_break: BlockNumber,
    early_since: Option<BlockNumber>,
}

/// What a judgement leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// A token that was in order, or unknown, broke.
    Broke(Break),
    /// It adds up again.
    Mended(LedgerId),
    /// It broke at so many blocks that the bridge must halt.
    Persists(Break),
}

/// What an answer of the chain leads to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// One more to ask the same.
    pub(crate) ask: Option<EndpointId>,
    /// Who says something else than those who are believed.
    pub(crate) liars: Vec<EndpointId>,
    pub(crate) judged: Vec<Judged>,
}

/// An answer of the chain that did not come for so long is asked for again, milliseconds.
const LOST_MS: u64 = 60_000;
/// Pause after a proof that could not be finished, milliseconds.
const RETRY_MS: u64 = 200;

#[derive(Debug)]
pub(crate) struct Reserves {
    config: ReservesConfig,
    due: Millis,
    asked: Asked,
    tokens: BTreeMap<LedgerId, Token>,
}

impl Reserves {
    pub(crate) const fn new(config: ReservesConfig) -> Self {
        Self { config, due: Millis(0), asked: Asked::Nothing, tokens: BTreeMap::new() }
    }

    /// Everything must be proved anew.
    pub(crate) fn forget(&mut self) {
        self.asked = Asked::Nothing;
        self.due = Millis(0);
        self.tokens.clear();
    }

    /// True if a proof should begin now.
    pub(crate) fn is_due(&mut self, now: Millis) -> bool {
        if let Asked::Chain { since, .. } = &self.asked
            && now >= since.plus(LOST_MS)
        {
            self.asked = Asked::Nothing;
        }
        matches!(self.asked, Asked::Nothing) && now >= self.due
    }

    pub(crate) fn ask_ledger(&mut self) {
        self.asked = Asked::Ledger;
    }

    /// The proof cannot be finished now.
    pub(crate) fn put_off(&mut self, now: Millis) {
        self.asked = Asked::Nothing;
        self.due = now.plus(RETRY_MS.min(self.config.interval_ms));
    }

    /// The ledger's side is known: whom to ask for the chain's.
    pub(crate) fn ask_chain(
        &mut self,
        block: BlockRef,
        seq: Seq,
        claims: BTreeMap<LedgerId, Claim>,
        mut hearing: Hearing,
        since: Millis,
    ) -> Vec<EndpointId> {
        let asked = hearing.begin();
        self.asked = Asked::Chain { block, seq, claims, hearing, since };
        asked
    }

    /// True if payouts of this ledger may be signed.
    pub(crate) fn allows(&self, ledger: LedgerId) -> bool {
        self.tokens.get(&ledger).is_some_and(|t| t.proof == Proof::Proved)
    }

    /// What is shown; tokens that were never judged are unknown.
    pub(crate) fn shown<'a>(
        &'a self,
        listings: impl Iterator<Item = &'a Listing> + 'a,
    ) -> impl Iterator<Item = TokenReserves> + 'a {
        listings.map(|listing| {
            let shown = self.tokens.get(&listing.ledger).and_then(|t| t.shown);
            shown.unwrap_or_else(|| TokenReserves::unknown(listing))
        })
    }

    /// An endpoint told the chain's side: once enough say the same, every token that was asked for is
    /// judged. Where too few do, nothing is signed until they do.
    pub(crate) fn on_holdings(
        &mut self,
        listings: &BTreeMap<LedgerId, Listing>,
        (by, at): (EndpointId, BlockRef),
        readings: &[TokenReading],
        now: Millis,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let Asked::Chain { block, claims, hearing, .. } = &mut self.asked else { return outcome };
        if *block != at || !hearing.say(by, readings) {
            return outcome;
        }
        let fits = |reading: &TokenReading| {
            claims.get(&reading.ledger).is_none_or(|claim| {
                let TokenReading { ledger, holdings } = *reading;
                find_break(ledger, at.number, &claim.position, claim.books, holdings).is_none()
            })
        };
        match hearing.hear(fits) {
            Heard::Open => {}
            Heard::Ask(next) => outcome.ask = Some(next),
            Heard::Done { believed, liars } => {
                outcome.liars = liars;
                outcome.judged = self.judge(listings, at, &believed, now);
            }
        }
        outcome
    }

    fn judge(
        &mut self,
        listings: &BTreeMap<LedgerId, Listing>,
        at: BlockRef,
        readings: &[TokenReading],
        now: Millis,
    ) -> Vec<Judged> {
        let Asked::Chain { seq, claims, .. } = std::mem::take(&mut self.asked) else {
            return Vec::new();
        };
        for ledger in claims.keys().filter(|l| !readings.iter().any(|r| r.ledger == **l)) {
            self.tokens.entry(*ledger).or_default().doubt();
        }
        if readings.is_empty() {
            self.put_off(now);
            return Vec::new();
        }
        self.due = now.plus(self.config.interval_ms);
        let mut judged = Vec::new();
        for TokenReading { ledger, holdings } in readings {
            let (Some(claim), Some(listing)) = (claims.get(ledger), listings.get(ledger)) else {
                continue;
            };
            let token = self.tokens.entry(*ledger).or_default();
            judged.extend(token.judge(&self.config, listing, at.number, claim, *holdings));
            if let Some(shown) = &mut token.shown {
                shown.seq = seq;
            }
        }
        if !judged.is_empty() {
            self.due = now;
        }
        judged
    }
}

impl TokenReserves {
    const fn unknown(listing: &Listing) -> Self {
        let zero = TokenAmount(0);
        Self {
            ledger: listing.ledger,
            token: listing.token,
            proof: Proof::Unknown,
            block: None,
            seq: Seq(0),
            holdings: Holdings { accounted: zero, claimable: zero, balance: zero },
            explained: None,
            books: None,
            broken: None,
            breaks: 0,
        }
    }
}

impl Token {
    /// What the contracts hold of it cannot be told: nothing is signed on an older proof.
    fn doubt(&mut self) {
        if self.proof == Proof::Proved {
            self.proof = Proof::Unknown;
        }
        if let Some(shown) = &mut self.shown {
            shown.proof = self.proof;
        }
    }

    fn judge(
        &mut self,
        config: &ReservesConfig,
        listing: &Listing,
        number: BlockNumber,
        claim: &Claim,
        holdings: Holdings,
    ) -> Option<Judged> {
        let broken = find_break(listing.ledger, number, &claim.position, claim.books, holdings);
        let early = claim.position.is_early() || claim.is_open;
        let since = if early { Some(*self.early_since.get_or_insert(number)) } else { None };
        self.early_since = since;
        let patient = since.is_some_and(|s| number.minus(s.0).0 <= config.early_blocks_max);
        let before = self.proof;
        let judged = match broken {
            _ if patient => {
                self.proof = Proof::Early;
                None
            }
            Some(broken) => self.on_break(config, before, broken),
            // The ledger holds what the chain never confirmed, for too long.
            None if early => {
                let broken = solvency_break(listing.ledger, number, &claim.position, holdings);
                self.on_break(config, before, broken)
            }
            None => {
                self.proof = Proof::Proved;
                self.breaks = 0;
                (before == Proof::Broken).then_some(Judged::Mended(listing.ledger))
            }
        };
        self.shown = Some(TokenReserves {
            proof: self.proof,
            block: Some(number),
            holdings,
            explained: claim.position.explained(),
            books: claim.books,
            broken: if self.proof == Proof::Broken { broken } else { None },
            breaks: self.breaks,
            ..TokenReserves::unknown(listing)
        });
        judged
    }

    fn on_break(
        &mut self,
        config: &ReservesConfig,
        before: Proof,
        broken: Break,
    ) -> Option<Judged> {
        self.proof = Proof::Broken;
        if self.breaks == 0 || broken.number > self.last_break {
            self.breaks = self.breaks.saturating_add(1);
            self.last_break = broken.number;
        }
        let halts = broken.equation != Equation::Backing && self.breaks >= config.breaks_max;
        if halts {
            return Some(Judged::Persists(broken));
        }
        (before != Proof::Broken).then_some(Judged::Broke(broken))
    }
}

/// The first equation that does not hold.
#[must_use]
pub fn find_break(
    ledger: LedgerId,
    number: BlockNumber,
    position: &Position,
    books: Option<Books>,
    holdings: Holdings,
) -> Option<Break> {
    if !position.is_solvent(holdings.accounted) {
        return Some(solvency_break(ledger, number, position, holdings));
    }
    if let Some(books) = books.filter(|b| !b.are_balanced()) {
        let unequal = books.debits != books.credits;
        let (left, right) =
            if unequal { (books.debits, books.credits) } else { (books.held, books.owed) };
        let (left, right) = (TokenAmount(left.0), TokenAmount(right.0));
        return Some(Break { ledger, equation: Equation::Ledger, number, left, right });
    }
    let owed = holdings.accounted.0.saturating_add(holdings.claimable.0);
    (!holdings.is_backed()).then_some(Break {
        ledger,
        equation: Equation::Backing,
        number,
        left: holdings.balance,
        right: TokenAmount(owed),
    })
}

fn solvency_break(
    ledger: LedgerId,
    number: BlockNumber,
    position: &Position,
    holdings: Holdings,
) -> Break {
    let right = position.explained().unwrap_or_default();
    Break { ledger, equation: Equation::Solvency, number, left: holdings.accounted, right }
}

/// The VAULT accounts of these listings, for the ledger to read.
#[must_use]
pub fn vaults<'a>(
    listings: impl Iterator<Item = &'a Listing>,
    vault: impl Fn(LedgerId) -> AccountId,
) -> Vec<(LedgerId, AccountId)> {
    listings.map(|l| (l.ledger, vault(l.ledger))).collect()
}
