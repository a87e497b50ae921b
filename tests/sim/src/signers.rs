//! Payout signers: several processes, each with its own look at the ledger and its own memory.

use crate::{
    chain::vault, coverage::Transition, fault::Fault, ledger::types::transfer_flags as tf,
    world::World,
};
use alloy_primitives::{B256, Bytes};
use bridge_core::{
    block::Seq, command::Call, event::PayoutEvent, posting::WithdrawalIds, vault_event::Request,
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
            if !away && self.agrees(seq, request, pays) {
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

    /// What a signer finds in the ledger by itself.
    fn agrees(&self, seq: Seq, request: &Request, pays: bool) -> bool {
        let ids = WithdrawalIds::of(self.instance, seq);
        let pending = self.ledger.transfer(ids.main.0).is_some_and(|t| t.has(tf::PENDING));
        let resolved = self.ledger.transfer(ids.resolve.0).is_some();
        let fits = self.chain.rules.domain.request_id(request, seq.0) == request.id;
        fits && if pays { pending && !resolved } else { !pending }
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
