//! The vault's ABI, and its events as the core knows them.

use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::Log,
    sol_types::{SolCall, SolEvent, SolEventInterface},
};
use bridge_core::{
    amount::{ScaleDivisor, TokenAmount},
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Seq, UnixSeconds},
    command::{Call, Carried, Finishing},
    event::ContractState,
    gasless::Intent,
    signing::{self, Ask},
    vault_event::{
        Deposit, Origin, Outcome, Payment, Progress, Request, SpentNonce, VaultEvent, VaultLog,
        Window, WithdrawalEvent,
    },
    withdrawal::{Authorization, RefusalReason, Verdict},
};

use abi::{IVault, IVault::IVaultEvents as VaultEvents, IVaultTypes};

/// Generated from the committed ABI; the contract's NatSpec documents it.
#[allow(missing_docs, clippy::too_many_arguments)]
pub mod abi {
    alloy::sol! {
        /// A contract that can say whether its owner signed something (EIP-1271).
        interface IERC1271 {
            function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
        }
    }

    alloy::sol!(
        #[sol(all_derives)]
        IVault,
        "../../contracts/abi/IVault.json"
    );
}

/// A log that a vault cannot have emitted.
#[derive(Debug, thiserror::Error)]
#[error("log {index:?} of block {block:?} is not a vault event we know: {reason}")]
pub struct NotAVaultLog {
    block: Option<u64>,
    index: Option<u64>,
    reason: String,
}

/// Signatures of the events that carry a `seq`; everything else the vault says is none of ours.
#[must_use]
pub fn sequence_signatures() -> Vec<B256> {
    vec![
        IVault::Deposited::SIGNATURE_HASH,
        IVault::WithdrawalRequested::SIGNATURE_HASH,
        IVault::TokenListed::SIGNATURE_HASH,
        IVault::TokenDelisted::SIGNATURE_HASH,
        IVault::Claimed::SIGNATURE_HASH,
        IVault::NonceInvalidated::SIGNATURE_HASH,
        IVault::PayoutQueued::SIGNATURE_HASH,
        IVault::PayoutVetoed::SIGNATURE_HASH,
        IVault::Paid::SIGNATURE_HASH,
        IVault::PayoutDeferred::SIGNATURE_HASH,
        IVault::Refused::SIGNATURE_HASH,
        IVault::Cancelled::SIGNATURE_HASH,
    ]
}

/// Decodes one log; `None` for the vault's events outside the sequence.
///
/// # Errors
/// If the log lacks its place in the chain or does not decode.
pub fn decode(log: &Log) -> Result<Option<VaultLog>, NotAVaultLog> {
    let bad =
        |reason: String| NotAVaultLog { block: log.block_number, index: log.log_index, reason };
    if !log.topic0().is_some_and(|topic| sequence_signatures().contains(topic)) {
        return Ok(None);
    }
    let event = VaultEvents::decode_log(&log.inner).map_err(|e| bad(e.to_string()))?;
    let Some((seq, event)) = translate(&event.data).map_err(|e| bad(e.to_owned()))? else {
        return Ok(None);
    };
    let missing = || bad("the node left out its place in the chain".to_owned());
    let number = log.block_number.ok_or_else(missing)?;
    let hash = log.block_hash.ok_or_else(missing)?;
    let tx_hash = log.transaction_hash.ok_or_else(missing)?;
    let log_index = log.log_index.and_then(|i| u32::try_from(i).ok()).ok_or_else(missing)?;
    let block = BlockRef { number: BlockNumber(number), hash };
    let emitter = log.inner.address;
    Ok(Some(VaultLog { emitter, block, tx_hash, log_index, seq: Seq(seq), event }))
}

/// An event for people: with what the core does without.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The event.
    pub log: VaultLog,
    /// Why a withdrawal was refused.
    pub refused: Option<RefusalReason>,
}

/// Decodes one log for people; `None` for the vault's events outside the sequence.
///
/// # Errors
/// As for [`decode`].
pub fn show(log: &Log) -> Result<Option<Shown>, NotAVaultLog> {
    let refused = IVault::Refused::decode_log(&log.inner).ok();
    let refused = refused.and_then(|e| RefusalReason::from_number(e.reason));
    Ok(decode(log)?.map(|log| Shown { log, refused }))
}

fn translate(event: &VaultEvents) -> Result<Option<(u64, VaultEvent)>, &'static str> {
    Ok(Some(match event {
        VaultEvents::Deposited(e) => (e.seq, VaultEvent::Deposited(deposit(e))),
        VaultEvents::WithdrawalRequested(e) => (e.seq, VaultEvent::Requested(request(e))),
        VaultEvents::TokenListed(e) => (e.seq, listed(e)?),
        VaultEvents::TokenDelisted(e) => (e.seq, VaultEvent::Delisted(LedgerId(e.ledger))),
        VaultEvents::Claimed(e) => (e.seq, VaultEvent::Claimed),
        VaultEvents::NonceInvalidated(e) => {
            let spent = SpentNonce { owner: e.owner, nonce: e.nonce };
            (e.seq, VaultEvent::NonceInvalidated(spent))
        }
        VaultEvents::PayoutQueued(e) => {
            let moved = moved(e.owner, e.token, (e.to, e.amount, e.fee));
            let (opens, expires) = (UnixSeconds(e.finalizeAfter), UnixSeconds(e.expiresAt));
            let queued = Progress::Queued(Window { opens, expires });
            progress((e.seq, e.id), (e.kind, e.nonce), queued, moved)?
        }
        VaultEvents::PayoutVetoed(e) => {
            let ended = Progress::Ended(Outcome::Refused);
            progress((e.seq, e.id), (e.kind, e.nonce), ended, nothing(e.owner, e.token))?
        }
        VaultEvents::Paid(e) => {
            let moved = moved(e.owner, e.token, (e.to, e.amount, e.fee));
            progress((e.seq, e.id), (e.kind, e.nonce), Progress::Ended(Outcome::Paid), moved)?
        }
        VaultEvents::PayoutDeferred(e) => {
            let moved = moved(e.owner, e.token, (e.to, e.amount, e.fee));
            progress((e.seq, e.id), (e.kind, e.nonce), Progress::Ended(Outcome::Deferred), moved)?
        }
        VaultEvents::Refused(e) => {
            let ended = Progress::Ended(Outcome::Refused);
            progress((e.seq, e.id), (e.kind, e.nonce), ended, nothing(e.owner, e.token))?
        }
        VaultEvents::Cancelled(e) => {
            let ended = Progress::Ended(Outcome::Cancelled);
            progress((e.seq, e.id), (e.kind, e.nonce), ended, nothing(e.owner, e.token))?
        }
        // What the vault says outside the sequence.
        VaultEvents::ChangeAnnounced(_)
        | VaultEvents::ChangeRetracted(_)
        | VaultEvents::DepositsPaused(_)
        | VaultEvents::DepositsUnpaused(_)
        | VaultEvents::LimitsSet(_)
        | VaultEvents::PayoutLimitsSet(_)
        | VaultEvents::PayoutSkipped(_)
        | VaultEvents::PayoutsPaused(_)
        | VaultEvents::PayoutsUnpaused(_)
        | VaultEvents::RefusalSkipped(_)
        | VaultEvents::SignersSet(_) => return Ok(None),
    }))
}

fn deposit(e: &IVault::Deposited) -> Deposit {
    Deposit {
        token: e.token,
        owner: e.owner,
        amount: TokenAmount(e.amount),
        ledger: LedgerId(e.ledger),
    }
}

fn request(e: &IVault::WithdrawalRequested) -> Request {
    Request {
        id: e.id,
        owner: e.owner,
        to: e.to,
        token: e.token,
        amount: TokenAmount(e.amount),
        deadline: UnixSeconds(e.deadline),
        ledger: LedgerId(e.ledger),
    }
}

fn listed(e: &IVault::TokenListed) -> Result<VaultEvent, &'static str> {
    let divisor = ScaleDivisor::new(e.scaleDivisor).ok_or("a listing with divisor 0")?;
    Ok(VaultEvent::Listed(Listing { token: e.token, ledger: LedgerId(e.ledger), divisor }))
}

fn moved(owner: Address, token: Address, (to, amount, fee): (Address, u128, u128)) -> Payment {
    let (amount, fee) = (TokenAmount(amount), TokenAmount(fee));
    Payment { owner, to, token, amount, fee, nonce: U256::ZERO }
}

/// Of what ends unpaid.
fn nothing(owner: Address, token: Address) -> Payment {
    moved(owner, token, (Address::ZERO, 0, 0))
}

fn progress(
    (seq, id): (u64, B256),
    (kind, nonce): (u8, U256),
    progress: Progress,
    payment: Payment,
) -> Result<(u64, VaultEvent), &'static str> {
    let origin = match kind {
        0 => Origin::Request,
        1 => Origin::Intent,
        _ => return Err("a withdrawal of an unknown kind"),
    };
    let payment = Payment { nonce, ..payment };
    let nonce = match (origin, u64::try_from(nonce)) {
        (Origin::Intent, _) => Seq::of_intent(id),
        (Origin::Request, Ok(nonce)) => Seq(nonce),
        (Origin::Request, Err(_)) => return Err("a request whose nonce is no event number"),
    };
    let payment = Some(payment);
    Ok((seq, VaultEvent::Withdrawal(WithdrawalEvent { id, origin, nonce, progress, payment })))
}

/// The contract's state of a withdrawal; `None` for a number we do not know.
#[must_use]
pub const fn contract_state(state: u8) -> Option<ContractState> {
    match state {
        0 => Some(ContractState::None),
        1 => Some(ContractState::Requested),
        2 => Some(ContractState::Queued),
        3 | 4 => Some(ContractState::PaidOrDeferred),
        5 | 6 => Some(ContractState::RefusedOrCancelled),
        _ => None,
    }
}

/// What is called at the vault; `None` for nothing.
#[must_use]
pub fn calldata(call: &Call) -> Option<Vec<u8>> {
    match call {
        Call::Withdrawals(items) => carrying(items),
        Call::Finish(finishing) => {
            let Finishing { seq, request, intent, pays } = &**finishing;
            let intent = intent.as_ref();
            let (kind, withdrawal) = (kind_of(intent), withdrawal(*seq, request, intent));
            Some(if *pays {
                IVault::finalizeCall { kind, withdrawal }.abi_encode()
            } else {
                IVault::cancelExpiredCall { kind, withdrawal }.abi_encode()
            })
        }
        Call::Nothing => None,
    }
}

/// The call that carries authorisations under one root to the vault; `None` for no withdrawal.
#[must_use]
pub fn carrying(items: &[Carried]) -> Option<Vec<u8>> {
    let first = items.first()?;
    let Authorization { verdict, signatures, proof } = &first.authorization;
    let (signatures, verdict) = (signatures.clone(), *verdict);
    let (id, intent) = (first.request.id, first.intent.clone());
    let root = signing::root_of(&Ask { id, verdict, intent }, proof);
    Some(if verdict == Verdict::Pay {
        match items {
            [one] => IVault::payoutCall { item: payout_item(one), signatures }.abi_encode(),
            several => {
                let items = several.iter().map(payout_item).collect();
                IVault::payoutBatchCall { items, root, signatures }.abi_encode()
            }
        }
    } else {
        match items {
            [one] => IVault::refuseCall { item: refusal_item(one)?, signatures }.abi_encode(),
            several => {
                let items = several.iter().map(refusal_item).collect::<Option<_>>()?;
                IVault::refuseBatchCall { items, root, signatures }.abi_encode()
            }
        }
    })
}

fn payout_item(item: &Carried) -> IVaultTypes::PayoutItem {
    let intent = item.intent.as_ref();
    IVaultTypes::PayoutItem {
        kind: kind_of(intent),
        withdrawal: withdrawal(item.seq, &item.request, intent),
        ownerSignature: intent.map(|intent| intent.signature.clone()).unwrap_or_default(),
        proof: item.authorization.proof.clone(),
    }
}

fn refusal_item(item: &Carried) -> Option<IVaultTypes::RefusalItem> {
    let Verdict::Refuse(reason) = item.authorization.verdict else { return None };
    let intent = item.intent.as_ref();
    Some(IVaultTypes::RefusalItem {
        kind: kind_of(intent),
        withdrawal: withdrawal(item.seq, &item.request, intent),
        reason: reason.number(),
        proof: item.authorization.proof.clone(),
    })
}

fn kind_of(intent: Option<&Intent>) -> u8 {
    u8::from(intent.is_some())
}

fn withdrawal(seq: Seq, request: &Request, intent: Option<&Intent>) -> IVaultTypes::Withdrawal {
    IVaultTypes::Withdrawal {
        owner: request.owner,
        to: request.to,
        token: request.token,
        amount: request.amount.0,
        fee: intent.map_or(0, |intent| intent.fee.0),
        nonce: intent.map_or_else(|| U256::from(seq.0), |intent| intent.nonce),
        deadline: request.deadline.0,
    }
}
