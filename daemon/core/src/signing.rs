//! What a payout signer checks by itself before it signs: a pure judgement of what its own node and
//! its own look at the ledger say. Whoever asks is believed in nothing.

use crate::{
    asset::Listing,
    block::{Seq, UnixSeconds},
    eip712::{Domain, merkle_parent, payout_leaf, refusal_leaf},
    event::ContractState,
    gasless::Intent,
    id::Instance,
    invariant::Holdings,
    posting,
    transfer::{FoundPhase, FoundTransfer, NewTransfer},
    vault_event::{Origin, Request},
    withdrawal::{Verdict, Withdrawal},
};
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a signer is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The withdrawal.
    pub id: B256,
    /// Pay or refuse.
    pub verdict: Verdict,
    /// What its owner signed, if it is gasless: the chain does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
}

/// What the signer's own node says, all at one final block.
#[derive(Clone, Copy, Debug)]
pub struct ChainSide {
    /// The block's time.
    pub time: UnixSeconds,
    /// The final request with that id, and its event number; `None` for an intent.
    pub request: Option<(Seq, Request)>,
    /// Of an intent.
    pub owner: OwnerSide,
    /// The contract's state of it.
    pub state: Option<ContractState>,
    /// The token's listing; `None` if it was never listed.
    pub listing: Option<Listing>,
    /// What the contracts hold of the token.
    pub holdings: Holdings,
    /// The vault pays nothing before this time.
    pub paused_until: UnixSeconds,
}

/// What the signer's own node says of an intent's owner, at that block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerSide {
    /// The signature is the owner's, or the owner's contract says so.
    pub has_signed: bool,
    /// The owner made the nonce unusable.
    pub nonce_invalidated: bool,
}

/// What the signer itself finds in the ledger.
#[derive(Clone, Copy, Debug)]
pub struct LedgerSide {
    /// Under the id of the pending.
    pub pending: Option<FoundTransfer>,
    /// Under the id of its post or void.
    pub resolve: Option<FoundTransfer>,
    /// Under the id of its pending fee.
    pub fee: Option<FoundTransfer>,
    /// The token's VAULT account, ledger units: its posted debits, read before the chain's final block
    /// was taken, less its posted credits, read after that; `None` if there is no such account.
    pub vault_held: Option<u128>,
}

/// Why a signer does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No final request has this id.
    NoFinalRequest,
    /// Its owner did not sign it.
    NotTheOwners,
    /// Its owner made its nonce unusable.
    Revoked,
    /// The contract is past it: paid, refused, cancelled or queued.
    NotOpen,
    /// It could not be mined in time any more.
    TooLate,
    /// Payouts are paused on chain.
    Paused,
    /// The ledger holds no pending for it.
    NoPending,
    /// The pending has another amount, account or withdrawal.
    OtherPending,
    /// The pending was posted or voided.
    Resolved,
    /// A pending stands: it must be paid, not refused.
    IsReserved,
    /// The contracts account for less than the ledger holds.
    Reserves,
    /// This signer signed the opposite before.
    SignedOtherwise,
}

impl Refusal {
    /// True if it may be otherwise in a moment: the signer's node may be a block behind.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::NoFinalRequest | Self::NoPending | Self::Reserves)
    }

    /// For people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoFinalRequest => "no final request has this id",
            Self::NotTheOwners => "its owner did not sign it",
            Self::Revoked => "its owner made its nonce unusable",
            Self::NotOpen => "the contract is past it: paid, refused, cancelled or queued",
            Self::TooLate => "its deadline has passed",
            Self::Paused => "payouts are paused on chain",
            Self::NoPending => "the ledger holds no pending for it",
            Self::OtherPending => {
                "the ledger's pending is of another amount, account or withdrawal"
            }
            Self::Resolved => "the ledger's pending was posted or voided",
            Self::IsReserved => "the ledger holds a pending for it: it must be paid",
            Self::Reserves => "the contracts hold less of the token than the ledger owes",
            Self::SignedOtherwise => "this signer signed the opposite before",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// The withdrawal as it must stand in the ledger if a signer's node tells the truth.
fn request_of(domain: &Domain, ask: &Ask, chain: &ChainSide) -> Result<Withdrawal, Refusal> {
    let withdrawal = match &ask.intent {
        None => requested(domain, ask, chain)?,
        Some(intent) => signed_by_owner(domain, ask, intent, chain)?,
    };
    if chain.state != Some(withdrawal.payable_from()) {
        return Err(Refusal::NotOpen);
    }
    let request = withdrawal.request;
    if ask.verdict == Verdict::Pay {
        if request.deadline < chain.time {
            return Err(Refusal::TooLate);
        }
        if chain.time < chain.paused_until {
            return Err(Refusal::Paused);
        }
    }
    Ok(withdrawal)
}

/// By the final request.
fn requested(domain: &Domain, ask: &Ask, chain: &ChainSide) -> Result<Withdrawal, Refusal> {
    let (seq, request) = chain.request.ok_or(Refusal::NoFinalRequest)?;
    // The id commits to every field: amount, recipient, deadline and number.
    if request.id != ask.id || domain.request_id(&request, seq.0) != ask.id {
        return Err(Refusal::NoFinalRequest);
    }
    let listing = chain.listing.filter(|l| l.ledger == request.ledger);
    let amount = listing.and_then(|l| l.divisor.to_ledger(request.amount));
    Ok(Withdrawal::requested(seq, request, amount.ok_or(Refusal::NoFinalRequest)?))
}

/// By what its owner signed: nobody but the owner can bring it about.
fn signed_by_owner(
    domain: &Domain,
    ask: &Ask,
    intent: &Intent,
    chain: &ChainSide,
) -> Result<Withdrawal, Refusal> {
    // Refusing one on chain is nobody's business: without signatures it dies at its deadline.
    if intent.id(domain) != ask.id || ask.verdict != Verdict::Pay {
        return Err(Refusal::NoFinalRequest);
    }
    if !chain.owner.has_signed {
        return Err(Refusal::NotTheOwners);
    }
    if chain.owner.nonce_invalidated {
        return Err(Refusal::Revoked);
    }
    let listing = chain.listing.filter(|l| l.token == intent.token);
    let listing = listing.ok_or(Refusal::NoFinalRequest)?;
    let amount = listing.divisor.to_ledger(intent.amount);
    let amounts = amount.zip(listing.divisor.to_ledger(intent.fee));
    let request = intent.request(ask.id, listing.ledger);
    let amounts = amounts.ok_or(Refusal::NoFinalRequest)?;
    Ok(Withdrawal::gasless(request, amounts, intent.clone()))
}

/// Judges both sides. The ledger must have been read before the chain's final block was taken: what
/// it has posted is final there then. Only what came out of VAULT is read after it.
///
/// # Errors
/// With the first reason not to sign.
pub fn check(
    domain: &Domain,
    instance: Instance,
    ask: &Ask,
    chain: &ChainSide,
    ledger: &LedgerSide,
) -> Result<(), Refusal> {
    let withdrawal = request_of(domain, ask, chain)?;
    if ask.verdict != Verdict::Pay {
        let stands = ledger.pending.is_some() && ledger.resolve.is_none();
        return if stands { Err(Refusal::IsReserved) } else { Ok(()) };
    }
    let pending = ledger.pending.ok_or(Refusal::NoPending)?;
    if ledger.resolve.is_some() {
        return Err(Refusal::Resolved);
    }
    let wanted = posting::reservation(instance, &withdrawal);
    let fee_fits = match (wanted.fee, ledger.fee) {
        (None, None) => true,
        (Some(wanted), Some(fee)) => is_as_wanted(&fee, &wanted),
        (None, Some(_)) | (Some(_), None) => false,
    };
    if !is_as_wanted(&pending, &wanted.main) || !fee_fits {
        return Err(Refusal::OtherPending);
    }
    if is_short(chain, ledger) { Err(Refusal::Reserves) } else { Ok(()) }
}

fn is_as_wanted(found: &FoundTransfer, wanted: &NewTransfer) -> bool {
    found.phase == FoundPhase::Pending
        && (found.id, found.debit, found.credit) == (wanted.id, wanted.debit, wanted.credit)
        && found.amount == wanted.amount
        && found.code == wanted.code.number()
        && (found.user_data_128, found.user_data_64) == (wanted.user_data_128, wanted.user_data_64)
        && found.user_data_32 == wanted.user_data_32
}

/// Whatever was posted as a deposit before the final block was taken came from a final deposit, and
/// whatever was paid by that block is posted soon: then the vault accounts for at least what VAULT
/// holds. Until the posts are there it looks short, and that passes. Pendings must not be set off:
/// anybody can have as many as they have money.
fn is_short(chain: &ChainSide, ledger: &LedgerSide) -> bool {
    let explained = chain
        .listing
        .zip(ledger.vault_held)
        .and_then(|(listing, held)| held.checked_mul(listing.divisor.get()));
    !chain.holdings.is_backed() || explained.is_none_or(|units| units > chain.holdings.accounted.0)
}

/// What a signer signs for several withdrawals at once: a Merkle root over their leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The root.
    pub root: B256,
    /// By withdrawal, in the order of the question: the nodes beside the way from its leaf to the
    /// root.
    pub proofs: Vec<Vec<B256>>,
}

impl Tree {
    /// Over these withdrawals; `None` for none, or for payouts and refusals together, which are signed
    /// apart.
    #[must_use]
    pub fn over(asks: &[Ask]) -> Option<Self> {
        let pays = asks.first()?.verdict == Verdict::Pay;
        if asks.iter().any(|ask| (ask.verdict == Verdict::Pay) != pays) {
            return None;
        }
        let mut proofs = vec![Vec::new(); asks.len()];
        // Each node with the leaves below it.
        let mut level: Vec<(B256, Vec<usize>)> =
            asks.iter().enumerate().map(|(n, ask)| (leaf(ask), vec![n])).collect();
        while level.len() > 1 {
            let mut above = Vec::new();
            for pair in level.chunks(2) {
                let [(left, of_left), (right, of_right)] = pair else {
                    above.extend_from_slice(pair);
                    continue;
                };
                for (leaves, sibling) in [(of_left, right), (of_right, left)] {
                    leaves.iter().for_each(|n| proofs[*n].push(*sibling));
                }
                above.push((merkle_parent(*left, *right), [&of_left[..], &of_right[..]].concat()));
            }
            level = above;
        }
        Some(Self { root: level.first()?.0, proofs })
    }

    /// What the signers sign, where the first withdrawal says whether these are payouts.
    #[must_use]
    pub fn digest(&self, domain: &Domain, verdict: Verdict) -> B256 {
        match verdict {
            Verdict::Pay => domain.payout_digest(self.root),
            Verdict::Refuse(_) => domain.refusal_digest(self.root),
        }
    }
}

fn leaf(ask: &Ask) -> B256 {
    let origin = if ask.intent.is_some() { Origin::Intent } else { Origin::Request };
    match ask.verdict {
        Verdict::Pay => payout_leaf(origin, ask.id),
        Verdict::Refuse(reason) => refusal_leaf(ask.id, reason.number()),
    }
}

/// The root that a leaf and the nodes beside its way lead to.
#[must_use]
pub fn root_of(ask: &Ask, proof: &[B256]) -> B256 {
    proof.iter().fold(leaf(ask), |node, sibling| merkle_parent(node, *sibling))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        amount::{LedgerAmount, ScaleDivisor, TokenAmount},
        asset::LedgerId,
        id::AccountId,
        withdrawal::RefusalReason,
    };
    use alloy_primitives::{Address, U256};
    use std::slice;

    const NOW: u64 = 1_000;

    struct Case {
        domain: Domain,
        instance: Instance,
        ask: Ask,
        chain: ChainSide,
        ledger: LedgerSide,
    }

    impl Case {
        fn judged(&self) -> Result<(), Refusal> {
            check(&self.domain, self.instance, &self.ask, &self.chain, &self.ledger)
        }
    }

    fn good() -> Case {
        let domain = Domain::new(31_337, Address::repeat_byte(9));
        let instance = crate::id::InstanceKey(B256::repeat_byte(7)).instance().unwrap();
        let (seq, ledger) = (Seq(5), LedgerId(1002));
        let mut request = Request {
            id: B256::ZERO,
            owner: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            token: Address::repeat_byte(3),
            amount: TokenAmount(40_000),
            deadline: UnixSeconds(NOW + 60),
            ledger,
        };
        request.id = domain.request_id(&request, seq.0);
        let divisor = ScaleDivisor::new(100).unwrap();
        let amount = divisor.to_ledger(request.amount).unwrap();
        let main =
            posting::reservation(instance, &Withdrawal::requested(seq, request, amount)).main;
        let pending = FoundTransfer {
            id: main.id,
            debit: main.debit,
            credit: main.credit,
            amount: main.amount,
            phase: FoundPhase::Pending,
            code: main.code.number(),
            user_data_128: main.user_data_128,
            user_data_64: main.user_data_64,
            user_data_32: main.user_data_32,
            timestamp_ns: 1,
        };
        let held = TokenAmount(90_000);
        let holdings = Holdings { accounted: held, claimable: TokenAmount(0), balance: held };
        let chain = ChainSide {
            time: UnixSeconds(NOW),
            request: Some((seq, request)),
            owner: OwnerSide::default(),
            state: Some(ContractState::Requested),
            listing: Some(Listing { token: request.token, ledger, divisor }),
            holdings,
            paused_until: UnixSeconds(0),
        };
        let (pending, resolve, fee) = (Some(pending), None, None);
        let ledger = LedgerSide { pending, resolve, fee, vault_held: Some(900) };
        let ask = Ask { id: request.id, verdict: Verdict::Pay, intent: None };
        Case { domain, instance, ask, chain, ledger }
    }

    /// The same for an order that its owner signed.
    fn good_order() -> Case {
        let mut case = good();
        let (_, request) = case.chain.request.take().unwrap();
        let intent = Intent {
            owner: request.owner,
            to: request.to,
            token: request.token,
            amount: request.amount,
            fee: TokenAmount(300),
            nonce: U256::from(7),
            deadline: request.deadline,
            signature: alloy_primitives::Bytes::from_static(b"signed"),
        };
        let id = intent.id(&case.domain);
        let request = intent.request(id, request.ledger);
        let amounts = (LedgerAmount(400), LedgerAmount(3));
        let withdrawal = Withdrawal::gasless(request, amounts, intent.clone());
        let wanted = posting::reservation(case.instance, &withdrawal);
        let found = |t: NewTransfer| FoundTransfer {
            id: t.id,
            debit: t.debit,
            credit: t.credit,
            amount: t.amount,
            phase: FoundPhase::Pending,
            code: t.code.number(),
            user_data_128: t.user_data_128,
            user_data_64: t.user_data_64,
            user_data_32: t.user_data_32,
            timestamp_ns: 1,
        };
        case.chain.owner = OwnerSide { has_signed: true, nonce_invalidated: false };
        case.chain.state = Some(ContractState::None);
        case.ledger.pending = Some(found(wanted.main));
        case.ledger.fee = wanted.fee.map(found);
        case.ask = Ask { id, verdict: Verdict::Pay, intent: Some(intent) };
        case
    }

    #[test]
    fn every_reason_keeps_an_order_from_being_signed() {
        type Spoil = fn(&mut Case);
        assert_eq!(good_order().judged(), Ok(()));
        let other_recipient =
            |c: &mut Case| c.ask.intent.as_mut().unwrap().to = Address::repeat_byte(8);
        let other_nonce = |c: &mut Case| c.ask.intent.as_mut().unwrap().nonce = U256::from(8);
        let cases: [(Refusal, Spoil); 15] = [
            (Refusal::NoFinalRequest, other_recipient),
            (Refusal::NoFinalRequest, other_nonce),
            (Refusal::NoFinalRequest, |c| c.ask.intent = None),
            (Refusal::NoFinalRequest, |c| c.chain.listing = None),
            (Refusal::NoFinalRequest, |c| {
                c.ask.verdict = Verdict::Refuse(RefusalReason::InsufficientFunds);
            }),
            (Refusal::NotTheOwners, |c| c.chain.owner.has_signed = false),
            (Refusal::Revoked, |c| c.chain.owner.nonce_invalidated = true),
            (Refusal::NotOpen, |c| c.chain.state = Some(ContractState::Requested)),
            (Refusal::NotOpen, |c| c.chain.state = Some(ContractState::PaidOrDeferred)),
            (Refusal::TooLate, |c| c.chain.time = UnixSeconds(NOW + 61)),
            (Refusal::NoPending, |c| c.ledger.pending = None),
            (Refusal::Resolved, |c| c.ledger.resolve = c.ledger.pending),
            (Refusal::OtherPending, |c| c.ledger.fee = None),
            (Refusal::OtherPending, |c| c.ledger.fee.as_mut().unwrap().amount.0 -= 1),
            (Refusal::OtherPending, |c| c.ledger.pending.as_mut().unwrap().user_data_32 += 1),
        ];
        for (n, (refusal, spoil)) in cases.into_iter().enumerate() {
            let mut case = good_order();
            spoil(&mut case);
            assert_eq!(case.judged(), Err(refusal), "case {n}");
        }
    }

    #[test]
    fn what_is_right_is_signed() {
        assert_eq!(good().judged(), Ok(()));
        let mut refused = good();
        refused.ask.verdict = Verdict::Refuse(RefusalReason::InsufficientFunds);
        refused.ledger.pending = None;
        // A refusal pays nothing: neither a pause nor the deadline keeps it back.
        refused.chain.paused_until = UnixSeconds(NOW + 1);
        refused.chain.time = UnixSeconds(NOW + 61);
        assert_eq!(refused.judged(), Ok(()));
    }

    #[test]
    fn every_reason_keeps_it_from_being_signed() {
        type Spoil = fn(&mut Case);
        let pending = |case: &mut Case, spoil: fn(&mut FoundTransfer)| {
            spoil(case.ledger.pending.as_mut().unwrap());
        };
        let other_id = |c: &mut Case| c.ask.id = B256::repeat_byte(1);
        let other_amount = |c: &mut Case| {
            c.chain.request.as_mut().unwrap().1.amount = TokenAmount(40_100);
        };
        let other_recipient = |c: &mut Case| {
            c.chain.request.as_mut().unwrap().1.to = Address::repeat_byte(8);
        };
        let resolved = |c: &mut Case| c.ledger.resolve = c.ledger.pending;
        let refuse = |c: &mut Case| {
            c.ask.verdict = Verdict::Refuse(RefusalReason::InsufficientFunds);
        };
        let cases: [(Refusal, Spoil); 15] = [
            (Refusal::NoFinalRequest, |c| c.chain.request = None),
            (Refusal::NoFinalRequest, other_id),
            (Refusal::NoFinalRequest, other_amount),
            (Refusal::NoFinalRequest, other_recipient),
            (Refusal::NoFinalRequest, |c| c.chain.listing = None),
            (Refusal::NotOpen, |c| c.chain.state = Some(ContractState::PaidOrDeferred)),
            (Refusal::NotOpen, |c| c.chain.state = None),
            (Refusal::TooLate, |c| c.chain.time = UnixSeconds(NOW + 61)),
            (Refusal::Paused, |c| c.chain.paused_until = UnixSeconds(NOW + 1)),
            (Refusal::NoPending, |c| c.ledger.pending = None),
            (Refusal::Resolved, resolved),
            (Refusal::IsReserved, refuse),
            (Refusal::Reserves, |c| c.ledger.vault_held = Some(901)),
            (Refusal::Reserves, |c| c.ledger.vault_held = None),
            (Refusal::Reserves, |c| c.chain.holdings.balance = TokenAmount(89_999)),
        ];
        for (n, (refusal, spoil)) in cases.into_iter().enumerate() {
            let mut case = good();
            spoil(&mut case);
            assert_eq!(case.judged(), Err(refusal), "case {n}");
        }
        let others: [fn(&mut FoundTransfer); 6] = [
            |t| t.amount.0 += 1,
            |t| t.debit = AccountId(1),
            |t| t.credit = AccountId(1),
            |t| t.user_data_128 += 1,
            |t| t.phase = FoundPhase::Direct,
            |t| t.code += 1,
        ];
        for (n, spoil) in others.into_iter().enumerate() {
            let mut case = good();
            pending(&mut case, spoil);
            assert_eq!(case.judged(), Err(Refusal::OtherPending), "pending {n}");
        }
    }

    #[test]
    fn forged_credits_are_not_hidden_by_what_others_have_pending() {
        // Two more pendings of 400 ledger units each, and 399 units that nobody deposited.
        let mut case = good();
        let real = 900 + 400;
        let held = TokenAmount(real * 100);
        case.chain.holdings =
            Holdings { accounted: held, claimable: TokenAmount(0), balance: held };
        case.ledger.vault_held = Some(real);
        assert_eq!(case.judged(), Ok(()));
        case.ledger.vault_held = Some(real + 399);
        assert_eq!(case.judged(), Err(Refusal::Reserves));
    }

    #[test]
    fn every_proof_leads_to_the_root_and_payouts_are_signed_apart_from_refusals() {
        for count in 1..=17_u8 {
            let asks: Vec<Ask> = (1..=count)
                .map(|n| Ask { id: B256::repeat_byte(n), verdict: Verdict::Pay, intent: None })
                .collect();
            let tree = Tree::over(&asks).unwrap();
            assert_eq!(tree.proofs.len(), asks.len());
            for (ask, proof) in asks.iter().zip(&tree.proofs) {
                assert_eq!(root_of(ask, proof), tree.root, "{count}");
                let stranger = Ask { id: B256::repeat_byte(99), ..ask.clone() };
                assert_ne!(root_of(&stranger, proof), tree.root, "{count}");
            }
        }
        let [pay, refuse] = [Verdict::Pay, Verdict::Refuse(RefusalReason::AccountFrozen)]
            .map(|verdict| Ask { id: B256::repeat_byte(1), verdict, intent: None });
        assert_eq!(Tree::over(&[pay.clone(), refuse.clone()]), None);
        assert_eq!(Tree::over(&[]), None);
        let domain = Domain::new(1, Address::ZERO);
        let digest =
            |ask: Ask| Tree::over(slice::from_ref(&ask)).unwrap().digest(&domain, ask.verdict);
        assert_ne!(digest(pay), digest(refuse));
    }
}
