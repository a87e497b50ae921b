//! Payout signers: several processes, each with its own look at the ledger and its own memory.

use crate::{
    chain::vault, coverage::Transition, fault::Fault, ledger::translate, orders::is_signed,
    world::World,
};
use alloy_primitives::{B256, Bytes};
use bridge_core::{
    account::VAULT,
    amount::TokenAmount,
    block::{Seq, UnixSeconds},
    command::{Asked, Call, Carried, Finishing},
    event::{PayoutEvent, Signed},
    id::{AccountId, TransferId},
    invariant::Holdings,
    obstacle::Obstacle,
    posting::WithdrawalIds,
    signing::{self, Ask, ChainSide, LedgerSide, OwnerSide, Tree},
    withdrawal::{Authorization, Verdict},
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

    /// True if this signer never signed the opposite.
    fn may_sign(&self, signer: u8, ask: &Ask) -> bool {
        let pays = ask.verdict == Verdict::Pay;
        self.each[usize::from(signer)].get(&ask.id).is_none_or(|known| *known == pays)
    }
}

fn signature(signer: u8, set: u8, root: B256, pays: bool) -> Bytes {
    let mut bytes = vec![signer, u8::from(pays), set];
    bytes.extend_from_slice(root.as_slice());
    bytes.into()
}

fn ask_of(item: &Asked) -> Ask {
    Ask { id: item.request.id, verdict: item.verdict, intent: item.intent.clone() }
}

impl World<'_> {
    /// Asks every signer that is there for one root over all of them, or for each where that does
    /// not find a quorum.
    pub(crate) fn sign(&mut self, items: &[Asked]) -> Vec<PayoutEvent> {
        let trouble = self.roll(Fault::SignerAway, 350);
        let there: Vec<u8> =
            (0..SIGNERS).filter(|_| !(trouble && self.chances.signer.per_mille(600))).collect();
        match self.sign_root(items, &there) {
            Some(event) => vec![event],
            None => items
                .chunks(1)
                .map(|item| {
                    let alone = self.sign_root(item, &there);
                    alone.unwrap_or_else(|| {
                        let (seqs, obstacle) = (vec![item[0].seq], Obstacle::SignersAway);
                        PayoutEvent::NotAuthorized { seqs, obstacle }
                    })
                })
                .collect(),
        }
    }

    fn sign_root(&mut self, items: &[Asked], there: &[u8]) -> Option<PayoutEvent> {
        let asks: Vec<Ask> = items.iter().map(ask_of).collect();
        let tree = Tree::over(&asks)?;
        let pays = asks[0].verdict == Verdict::Pay;
        if !items.iter().all(|item| self.agrees(item)) {
            return None;
        }
        let willing = |signer: &&u8| asks.iter().all(|ask| self.signers.may_sign(**signer, ask));
        let willing: Vec<u8> = there.iter().filter(willing).copied().collect();
        if willing.len() < THRESHOLD {
            return None;
        }
        for ask in &asks {
            for signer in &willing {
                self.signers.each[usize::from(*signer)].insert(ask.id, pays);
            }
            if self.signers.quorum.insert(ask.id, pays) == Some(!pays) {
                let detail = format!("withdrawal {}: a payout and a refusal", ask.id);
                self.violate("signing: one verdict for one withdrawal", detail);
            }
            self.moved(if pays { Transition::SignedPayout } else { Transition::SignedRefusal });
        }
        if asks.len() > 1 {
            self.moved(Transition::SignedBatch);
        }
        let set = self.chain.head().state.signers;
        let signed = |signer: &u8| signature(*signer, set, tree.root, pays);
        let signatures = willing.iter().map(signed).collect();
        let items = items.iter().zip(tree.proofs).map(|(item, proof)| {
            let Asked { seq, verdict, .. } = *item;
            Signed { seq, verdict, proof }
        });
        Some(PayoutEvent::Authorized { items: items.collect(), signatures })
    }

    /// What a signer finds by itself, judged as `sovrd sign` judges it.
    fn agrees(&self, item: &Asked) -> bool {
        let (ask, Asked { seq, request, .. }) = (ask_of(item), item);
        let token = self.chain.rules.token(request.token);
        let Some((token, block)) = token.zip(self.chain.at(self.chain.final_height())) else {
            return false;
        };
        let (state, number) = (&block.state, block.header.block.number.0);
        let accounted = state.accounted[token];
        let claimable: u128 = state.claimable[token].iter().map(|(_, amount)| amount).sum();
        let short = u128::from(self.chain.rules.short.contains(&number));
        let chain = ChainSide {
            time: block.header.timestamp,
            request: state.slot(ask.id).map(|slot| (slot.seq, slot.request)),
            owner: ask.intent.as_ref().map_or_else(OwnerSide::default, |intent| OwnerSide {
                has_signed: is_signed(intent),
                nonce_invalidated: state.spent.contains(&(intent.owner, intent.nonce)),
            }),
            state: Some(state.state_of(ask.id)),
            listing: state.listed[token].map(|_| self.chain.rules.tokens[token]),
            holdings: Holdings {
                accounted: TokenAmount(accounted),
                claimable: TokenAmount(claimable),
                balance: TokenAmount((accounted + claimable).saturating_sub(short)),
            },
            paused_until: UnixSeconds(state.paused_until),
        };
        let ids = WithdrawalIds::named(self.instance, *seq, request.id);
        let found = |id: TransferId| self.ledger.transfer(id.0).map(translate::found);
        let vault = AccountId::vault_chart(request.ledger, self.instance, VAULT.number);
        let vault = self.ledger.account(vault.0);
        let vault_held = vault.and_then(|a| a.debits_posted.checked_sub(a.credits_posted));
        let (pending, resolve, fee) = (found(ids.main), found(ids.resolve), found(ids.fee));
        let ledger = LedgerSide { pending, resolve, fee, vault_held };
        signing::check(&self.chain.rules.domain, self.instance, &ask, &chain, &ledger).is_ok()
    }

    /// What a transaction does for the contract, which checks signatures and proofs.
    pub(crate) fn calls_of(&self, call: &Call) -> Vec<(Option<Seq>, vault::Call)> {
        match call {
            Call::Nothing => vec![(None, vault::Call::Nothing)],
            Call::Finish(finishing) => {
                let Finishing { seq, request, pays, .. } = &**finishing;
                let id = request.id;
                let pays =
                    if *pays { vault::Call::Finalize { id } } else { vault::Call::Cancel { id } };
                vec![(Some(*seq), pays)]
            }
            Call::Withdrawals(items) => {
                items.iter().map(|item| (Some(item.seq), call_of(item))).collect()
            }
        }
    }
}

fn call_of(item: &Carried) -> vault::Call {
    let Authorization { verdict, signatures, proof } = &item.authorization;
    let (id, pays) = (item.request.id, *verdict == Verdict::Pay);
    let root = signing::root_of(&Ask { id, verdict: *verdict, intent: item.intent.clone() }, proof);
    let ascending = signatures.windows(2).all(|pair| pair[0].first() < pair[1].first());
    let signers = signatures.first().and_then(|s| s.get(2)).copied().unwrap_or_default();
    let signed =
        |s: &Bytes| (0..SIGNERS).any(|signer| *s == signature(signer, signers, root, pays));
    let good = signatures.len() >= THRESHOLD && ascending && signatures.iter().all(signed);
    match (good, pays) {
        (true, true) if item.intent.is_some() => {
            let intent = item.intent.clone().unwrap_or_else(|| unreachable!("just looked"));
            vault::Call::PayOrder { intent, signers }
        }
        (true, true) => vault::Call::Payout { id, signers },
        (true, false) => vault::Call::Refuse { id, signers },
        (false, _) => vault::Call::Nothing,
    }
}
