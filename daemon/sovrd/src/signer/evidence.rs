//! What a signer reads by itself: the ledger first, then its node at a final block taken after that,
//! then what has left VAULT meanwhile.

use super::{NotSigned, Signer};
use crate::chain::{
    error::ReadError,
    holdings,
    node::Node,
    search::{self, Enough, Scope},
};
use alloy::{
    primitives::{Address, B256},
    rpc::types::Filter,
};
use bridge_core::{
    account::{NewAccount, VAULT},
    asset::LedgerId,
    block::{BlockNumber, Seq},
    event::ContractState,
    gasless::SIGNATURE_BYTES_MAX,
    id::{AccountId, TransferId},
    posting::WithdrawalIds,
    signing::{self, Ask, ChainSide, LedgerSide, OwnerSide, Refusal},
    transfer::FoundTransfer,
    vault_event::{Request, VaultEvent},
};
use std::collections::BTreeMap;

/// Requests that a signer keeps in mind.
const KNOWN_MAX: usize = 10_000;

/// What a signer knows of where requests are, by withdrawal: they are final, so they stay there.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<B256, Place>);

#[derive(Clone, Copy, Debug)]
enum Place {
    Found(Seq, Request),
    /// Not in this block or above it.
    Below(BlockNumber),
}

impl Known {
    fn note(&mut self, id: B256, place: Place) {
        // It only saves time: whoever fills it up makes others wait a little.
        if self.0.len() >= KNOWN_MAX && !self.0.contains_key(&id) {
            self.0.clear();
        }
        self.0.insert(id, place);
    }
}

impl Signer {
    /// Judges by what one endpoint says.
    pub(super) async fn judge_by(&self, node: &Node, ask: &Ask) -> Result<(), NotSigned> {
        let subject = self.subject(node, ask).await?;
        let vault = AccountId::vault_chart(subject.ledger, self.instance, VAULT.number);
        let ids = subject.ids;
        let found = self.ledger.lookup_transfers(&[ids.main, ids.resolve, ids.fee]).await?;
        let debits = self.ledger.lookup_accounts(&[vault]).await?;
        if debits.is_empty() {
            return Err(NotSigned::OtherLedger);
        }
        let chain = chain_side(node, ask, &subject).await?;
        let credits = self.ledger.lookup_accounts(&[vault]).await?;
        let held = debits.first().zip(credits.first());
        let held = held.map(|(d, c)| d.debits_posted().saturating_sub(c.credits_posted()));
        let of = |id: TransferId| found.iter().find(|t: &&FoundTransfer| t.id == id).copied();
        let (pending, resolve, fee) = (of(ids.main), of(ids.resolve), of(ids.fee));
        let ledger = LedgerSide { pending, resolve, fee, vault_held: held };
        signing::check(&self.domain, self.instance, ask, &chain, &ledger)
            .map_err(NotSigned::Refused)
    }

    /// What is looked at: a final request, or what an owner is said to have signed.
    async fn subject(&self, node: &Node, ask: &Ask) -> Result<Subject, NotSigned> {
        let Some(intent) = &ask.intent else {
            let (seq, request) = self.request(node, ask.id).await?;
            let ids = WithdrawalIds::of(self.instance, seq);
            let Request { token, ledger, .. } = request;
            return Ok(Subject { request: Some((seq, request)), token, ledger, ids });
        };
        // Before anything is read for it: what was signed must be these fields, and of a bearable size.
        let is_its_text = intent.id(&self.domain) == ask.id;
        if !is_its_text || intent.signature.len() > SIGNATURE_BYTES_MAX {
            return Err(NotSigned::Refused(Refusal::NoFinalRequest));
        }
        let head = node.final_head().await?.block;
        let listing = node.listing(intent.token, head.hash).await?;
        let listing = listing.ok_or(NotSigned::Refused(Refusal::NoFinalRequest))?;
        let (token, ledger, ids) = (intent.token, listing.ledger, WithdrawalIds::gasless(ask.id));
        Ok(Subject { request: None, token, ledger, ids })
    }

    /// The final request with this id. One that is old may take several searches.
    async fn request(&self, node: &Node, id: B256) -> Result<(Seq, Request), NotSigned> {
        let known = self.known.lock().await.0.get(&id).copied();
        if let Some(Place::Found(seq, request)) = known {
            return Ok((seq, request));
        }
        let head = node.final_head().await?.block;
        let nobody = NotSigned::Refused(Refusal::NoFinalRequest);
        if matches!(node.state(id, head.hash).await?, None | Some(ContractState::None)) {
            return Err(nobody);
        }
        let below = match known {
            Some(Place::Below(number)) => number,
            Some(Place::Found(..)) | None => head.number.plus(1),
        };
        let (deployed, size) = (self.deployed, self.range_blocks_max);
        let scope = Scope { deployed, latest: head.number, before: Some(below), size };
        let is_request = |event: &VaultEvent| matches!(event, VaultEvent::Requested(_));
        let filter = Filter::new().topic1(id);
        let found = search::backwards(node, &filter, scope, |logs| {
            let first = logs.first().map(|shown| shown.log.event);
            if first.as_ref().is_some_and(is_request) { Enough::Entirely } else { Enough::No }
        });
        let found = found.await?;
        let first = found.logs.first().map(|shown| (shown.log.seq, shown.log.event));
        let mut known = self.known.lock().await;
        if let Some((seq, VaultEvent::Requested(request))) = first {
            known.note(id, Place::Found(seq, request));
            return Ok((seq, request));
        }
        if found.is_complete {
            return Err(nobody);
        }
        known.note(id, Place::Below(found.from));
        Err(NotSigned::Searching(found.from))
    }

    /// True if enough nodes and the ledger answer. That a daemon has claimed the ledger for this vault is
    /// not waited for: it may start later. Until then nothing is signed.
    pub(super) async fn is_ready(&self) -> Result<(), NotSigned> {
        let mut answering = 0_usize;
        let mut last = None;
        for node in self.nodes.all() {
            match node.final_head().await {
                Ok(_) => answering = answering.saturating_add(1),
                Err(error) => last = Some(error),
            }
        }
        if let Some(error) = last.filter(|_| answering < self.quorum) {
            return Err(error.into());
        }
        self.ledger.lookup_accounts(&[self.registry()]).await?;
        Ok(())
    }

    /// The instance's entry in the ledger: without it this is another ledger.
    pub(super) fn registry(&self) -> AccountId {
        NewAccount::instance_registry(self.instance_key, self.instance).id
    }
}

/// A withdrawal that a signer looks at.
struct Subject {
    request: Option<(Seq, Request)>,
    token: Address,
    ledger: LedgerId,
    ids: WithdrawalIds,
}

async fn owner_side(node: &Node, ask: &Ask, at: B256) -> Result<OwnerSide, ReadError> {
    let Some(intent) = &ask.intent else { return Ok(OwnerSide::default()) };
    node.owner_side((intent.owner, intent.nonce), (ask.id, &intent.signature), at).await
}

async fn chain_side(node: &Node, ask: &Ask, subject: &Subject) -> Result<ChainSide, ReadError> {
    let head = node.final_head().await?;
    let at = head.block.hash;
    let (state, listing, holdings, paused_until, owner) = tokio::try_join!(
        node.state(ask.id, at),
        node.listing(subject.token, at),
        holdings::of(node, node.vault(), at, subject.token),
        node.paused_until(at),
        owner_side(node, ask, at),
    )?;
    Ok(ChainSide {
        time: head.timestamp,
        request: subject.request,
        owner,
        state,
        listing,
        holdings,
        paused_until,
    })
}
