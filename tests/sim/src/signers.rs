//! Payout signers: several processes, each with its own look at the ledger and its own memory.

use crate::{chain::vault, coverage::Transition, fault::Fault, ledger::translate, world::World};
use alloy_primitives::{B256, Bytes};
use bridge_core::{
    account::VAULT,
    amount::TokenAmount,
    block::{Seq, UnixSeconds},
    command::Call,
    event::PayoutEvent,
    id::{AccountId, TransferId},
    invariant::Holdings,
    posting::WithdrawalIds,
    signing::{self, Ask, ChainSide, LedgerSide},
    vault_event::Request,
    withdrawal::Verdict,
};
use std::collections::BTreeMap;

/// How many there are.
const SIGNERS: u8 = 3;
/// How many of them make a quorum.
const THRESHOLD: usize = 2;

/// What the signers remember of what they signed: withdrawal ids, with true for a payout.
#[derive(Debug, Default)]
pub(crate) struct Signers {
    each: [BTreeMap<B256, bool>; SIGNERS as usize],
    quorum: BTreeMap<B256, bool>,
}

impl Signers {
    /// What a quorum signed.
    pub(crate) const fn quorum(&self) -> &BTreeMap<B256, bool> {
        &self.quorum
    }

    /// One signer's answer: one verdict for one id, ever.
    fn ask(&mut self, signer: u8, set: u8, id: B256, pays: bool) -> Option<Bytes> {
        let known = *self.each[usize::from(signer)].entry(id).or_insert(pays);
        (known == pays).then(|| signature(signer, set, id, pays))
    }
}

fn signature(signer: u8, set: u8, id: B256, pays: bool) -> Bytes {
    let mut bytes = vec![signer, u8::from(pays), set];
    bytes.extend_from_slice(id.as_slice());
    bytes.into()
}

impl World<'_> {
    /// Asks every signer that is there; a quorum of them is enough.
    pub(crate) fn sign(&mut self, seq: Seq, request: &Request, verdict: Verdict) -> PayoutEvent {
        let pays = verdict == Verdict::Pay;
        let set = self.chain.head().state.signers;
        let trouble = self.roll(Fault::SignerAway, 350);
        let mut signatures = Vec::new();
        for signer in 0..SIGNERS {
            let away = trouble && self.chances.signer.per_mille(600);
            if !away && self.agrees(seq, request, verdict) {
                signatures.extend(self.signers.ask(signer, set, request.id, pays));
            }
        }
        if signatures.len() < THRESHOLD {
            return PayoutEvent::NotAuthorized { seq };
        }
        if self.signers.quorum.insert(request.id, pays) == Some(!pays) {
            let detail = format!("withdrawal {seq}: a payout and a refusal");
            self.violate("signing: one verdict for one withdrawal", detail);
        }
        self.moved(if pays { Transition::SignedPayout } else { Transition::SignedRefusal });
        PayoutEvent::Authorized { seq, verdict, signatures }
    }

    /// What a signer finds by itself, judged as `sovrd sign` judges it.
    fn agrees(&self, seq: Seq, request: &Request, verdict: Verdict) -> bool {
        let ask = Ask { id: request.id, verdict };
        let token = self.chain.rules.token(request.token);
        let Some((token, block)) = token.zip(self.chain.at(self.chain.final_height())) else {
            return false;
        };
        let (state, number) = (&block.state, block.header.block.number.0);
        let accounted = state.accounted[token];
        let claimable: u128 = state.claimable[token].iter().map(|(_, amount)| amount).sum();
        let short = u128::from(self.chain.rules.short.contains(&number));
        let chain = ChainSide {
            block: block.header.block,
            time: block.header.timestamp,
            request: state.slot(ask.id).map(|slot| (slot.seq, slot.request)),
            state: Some(state.state_of(ask.id)),
            listing: state.listed[token].map(|_| self.chain.rules.tokens[token]),
            holdings: Holdings {
                accounted: TokenAmount(accounted),
                claimable: TokenAmount(claimable),
                balance: TokenAmount((accounted + claimable).saturating_sub(short)),
            },
            paused_until: UnixSeconds(state.paused_until),
        };
        let ids = WithdrawalIds::of(self.instance, seq);
        let found = |id: TransferId| self.ledger.transfer(id.0).map(translate::found);
        let vault = AccountId::vault_chart(request.ledger, self.instance, VAULT.number);
        let free = self.ledger.account(vault.0).and_then(|a| {
            a.debits_posted.checked_sub(a.credits_posted)?.checked_sub(a.credits_pending)
        });
        let ledger =
            LedgerSide { pending: found(ids.main), resolve: found(ids.resolve), vault_free: free };
        signing::check(&self.chain.rules.domain, self.instance, ask, &chain, &ledger).is_ok()
    }

    /// What a transaction does for the contract: it checks the signatures.
    pub(crate) fn call_of(&self, call: &Call) -> vault::Call {
        let Call::Withdrawal { request, authorization, .. } = call else {
            return vault::Call::Nothing;
        };
        let id = request.id;
        let pays = authorization.verdict == Verdict::Pay;
        let signatures = &authorization.signatures;
        let ascending = signatures.windows(2).all(|pair| pair[0].first() < pair[1].first());
        let signers = signatures.first().and_then(|s| s.get(2)).copied().unwrap_or_default();
        let signed =
            |s: &Bytes| (0..SIGNERS).any(|signer| *s == signature(signer, signers, id, pays));
        let good = signatures.len() >= THRESHOLD && ascending && signatures.iter().all(signed);
        match (good, pays) {
            (true, true) => vault::Call::Payout { id, signers },
            (true, false) => vault::Call::Refuse { id, signers },
            (false, _) => vault::Call::Nothing,
        }
    }
}
