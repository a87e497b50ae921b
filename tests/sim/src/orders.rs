//! Gasless withdrawals: what owners sign, what adapters find out, and what must be true of each.

use crate::{
    chain::vault::{Call, MAX_DEADLINE, State},
    checks::Decoded,
    coverage::Transition,
    fault::Fault,
    ledger::{
        translate,
        types::{PendingStatus, Transfer, transfer_flags as tf},
    },
    users::FAILING_RECIPIENT,
    world::{Action, World},
};
use alloy_primitives::{B256, Bytes, U256};
use bridge_core::{
    account::{NewAccount, VAULT},
    amount::TokenAmount,
    block::{BlockNumber, Seq, UnixSeconds},
    event::Event,
    gasless::{Facts, Intent, Submission, Terms},
    id::AccountId,
    posting::WithdrawalIds,
    transfer::TransferResult,
    vault_event::Request,
};

/// How long before its deadline an order must come, seconds.
pub(crate) const LEAD_S: u64 = 4;
/// Nonces that owners choose from: few, so that some are spent before they are used.
const NONCES: u64 = 40;
/// What stands for an owner's own signature.
const OWNERS: &[u8] = b"the owner's";

/// True if the owner of an order signed it.
pub(crate) fn is_signed(intent: &Intent) -> bool {
    intent.signature == Bytes::from_static(OWNERS)
}

impl World<'_> {
    /// An owner signs something and sends it to some daemon, or sends an older text again.
    pub(crate) fn order(&mut self, token: usize, owner: usize) {
        let again = self.chances.user.per_mille(300) && !self.users.orders.is_empty();
        let intent = if again {
            let pick = self.chances.user.index(self.users.orders.len());
            self.users.orders.values().nth(pick).cloned()
        } else {
            Some(self.sign_order(token, owner))
        };
        let Some(intent) = intent else { return };
        let d = self.chances.user.index(self.daemons.len());
        let submission = self.look_at(intent);
        let epoch = self.daemons[d].epoch;
        let pause = self.chances.time.between(1, 60);
        let event = Box::new(Event::Intent(Box::new(submission)));
        self.after(pause, Action::Deliver { daemon: d, epoch, event });
    }

    fn sign_order(&mut self, token: usize, owner: usize) -> Intent {
        let has = self.users.worth(token, owner);
        let rng = &mut self.chances.user;
        let units = rng.between(1, u64::try_from(has).unwrap_or(1).max(1) + 3);
        let fee = if rng.per_mille(400) { rng.between(1, 3) } else { 0 };
        let (nonce, seconds) = (rng.below(NONCES), rng.between(LEAD_S, MAX_DEADLINE / 2));
        let (fails, forged) = (rng.per_mille(150), rng.per_mille(60));
        let fails = fails && self.faults.has(Fault::FailingPush);
        let forged = forged && self.faults.has(Fault::Hostile);
        let (owner, divisor) = self.users.known(token, owner);
        let mut intent = Intent {
            owner,
            to: if fails { FAILING_RECIPIENT } else { owner },
            token: self.chain.rules.tokens[token].token,
            amount: TokenAmount(u128::from(units) * divisor),
            fee: TokenAmount(u128::from(fee) * divisor),
            nonce: U256::from(nonce),
            deadline: UnixSeconds(self.chain.head().header.timestamp.0 + seconds),
            signature: Bytes::from_static(OWNERS),
        };
        if forged {
            intent.signature = Bytes::from_static(b"somebody's");
        } else {
            let id = intent.id(&self.chain.rules.domain);
            self.users.orders.insert(id, intent.clone());
        }
        intent
    }

    /// What the adapters find out, as of now; it may be old when it arrives.
    fn look_at(&self, intent: Intent) -> Submission {
        let id = intent.id(&self.chain.rules.domain);
        let height = self.chain.final_height();
        let block = self.chain.at(height).unwrap_or_else(|| self.chain.head());
        let (state, number) = (&block.state, BlockNumber(height));
        let token = self.chain.rules.token(intent.token);
        let listing =
            token.filter(|n| state.listed[*n].is_some()).map(|n| self.chain.rules.tokens[n]);
        let (minimum, maximum) = (TokenAmount(1), TokenAmount(u128::MAX));
        let terms = listing.map(|listing| Terms { listing, minimum, maximum });
        let funds = listing.map(|l| NewAccount::funds(l.ledger, intent.owner).id);
        let funds = funds.and_then(|id| self.ledger.account(id.0));
        let gate = self.ledger.account(NewAccount::gate(intent.owner).id.0);
        let facts = Facts {
            block: number,
            time: block.header.timestamp,
            state: Some(state.state_of(id)),
            nonce_invalidated: state.spent.contains(&(intent.owner, intent.nonce)),
            is_signed: is_signed(&intent),
            terms,
            window_s: (1, MAX_DEADLINE),
            pending: self.ledger.transfer(WithdrawalIds::gasless(id).main.0).map(translate::found),
            available: funds
                .map_or(0, |a| a.credits_posted.saturating_sub(a.debits_posted + a.debits_pending)),
            is_frozen: gate.is_some_and(crate::ledger::types::Account::is_closed),
        };
        Submission { intent, facts }
    }

    /// An owner makes the nonce of an order unusable.
    pub(crate) fn revoke(&mut self) {
        let n = self.users.orders.len();
        let pick = if n == 0 { 0 } else { self.chances.user.index(n) };
        let Some(order) = self.users.orders.values().nth(pick) else { return };
        let (owner, nonce) = (order.owner, order.nonce);
        self.chain.send(Call::InvalidateNonce { owner, nonce });
    }

    fn order_request(&self, id: B256) -> Option<(Request, u128, u128)> {
        let intent = self.users.orders.get(&id)?;
        let listing = self.chain.rules.tokens[self.chain.rules.token(intent.token)?];
        let unit = listing.divisor.get();
        let request = intent.request(id, listing.ledger);
        Some((request, intent.amount.0 / unit, intent.fee.0 / unit))
    }

    /// The order that a transfer is a leg of.
    pub(crate) fn order_of(&self, transfer: u128) -> Option<B256> {
        let is_leg = |id: &&B256| {
            let ids = WithdrawalIds::gasless(**id);
            [ids.main, ids.gate, ids.fee, ids.resolve, ids.resolve_fee]
                .iter()
                .any(|l| l.0 == transfer)
        };
        self.users.orders.keys().find(is_leg).copied()
    }

    /// What the ledger executed for an order.
    pub(crate) fn check_order_leg(&mut self, t: &Transfer, failed: Option<TransferResult>) {
        let Some(id) = self.order_of(t.id) else {
            let detail = format!("{t:?}");
            return self.violate("gasless: only what an owner signed", detail);
        };
        let ids = WithdrawalIds::gasless(id);
        match failed {
            None if t.id == ids.main.0 => self.check_order_reserved(t, id),
            None if t.id == ids.resolve.0 => self.check_order_ended(t, id),
            None => {}
            Some(result) => self.check_order_failed(t, &ids, result),
        }
    }

    fn check_order_reserved(&mut self, t: &Transfer, id: B256) {
        let Some((request, units, fee)) = self.order_request(id) else { return };
        let ids = WithdrawalIds::gasless(id);
        let vault = AccountId::vault_chart(request.ledger, self.instance, VAULT.number);
        let of_fee = self.ledger.transfer(ids.fee.0).map_or(0, |t| t.amount);
        let gate = self.ledger.account(NewAccount::gate(request.owner).id.0);
        let fits = t.amount == units
            && of_fee == fee
            && t.debit_account_id == NewAccount::funds(request.ledger, request.owner).id.0
            && t.credit_account_id == vault.0
            && t.has(tf::PENDING)
            && t.user_data_64 == request.deadline.0
            && gate.is_some_and(|a| !a.is_closed())
            && self.ledger.transfer(ids.gate.0).is_some();
        if !fits {
            let detail = format!("order {id} {request:?}, fee {fee}: {t:?}, {of_fee}");
            self.violate("gasless: what is set aside is what its owner signed", detail);
        }
        self.moved(Transition::OrderReserved);
    }

    fn check_order_ended(&mut self, t: &Transfer, id: B256) {
        if self.truth.contradicted {
            return;
        }
        let Some((request, units, fee)) = self.order_request(id) else { return };
        let posted = t.has(tf::POST);
        let ids = WithdrawalIds::gasless(id);
        let of_fee = self.ledger.transfer(ids.resolve_fee.0);
        let fee_fits = (fee == 0 && of_fee.is_none())
            || of_fee.is_some_and(|f| f.has(tf::POST) == posted && (!posted || f.amount == fee));
        if !fee_fits {
            let detail = format!("order {id}, fee {fee}: {of_fee:?}");
            self.violate("gasless: the fee ends with its payment", detail);
        }
        if posted {
            if !self.truth.is_paid(id) || t.amount != units {
                let detail = format!("order {id}, finally {:?}: {t:?}", self.truth.state_of(id));
                self.violate("gasless: a post means a final payout, whole", detail);
            }
            return self.moved(Transition::OrderPosted);
        }
        if !self.is_order_dead(&request) {
            let state = self.truth.state_of(id);
            let detail = format!("order {id}, finally {state:?} at {}", self.truth.time);
            self.violate("gasless: a void means that it can never be paid", detail);
        }
        self.moved(Transition::OrderVoided);
    }

    /// True if the contract can never pay it any more, by the newest final block.
    fn is_order_dead(&self, request: &Request) -> bool {
        let nonce = self.users.orders.get(&request.id).map(|intent| (intent.owner, intent.nonce));
        match self.truth.state_of(request.id) {
            Some(State::Refused | State::Cancelled) => true,
            Some(_) => false,
            None => {
                self.truth.time > request.deadline
                    || nonce.is_some_and(|spent| self.truth.state.spent.contains(&spent))
            }
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "all other results are faults alike")]
    fn check_order_failed(&mut self, t: &Transfer, ids: &WithdrawalIds, result: TransferResult) {
        use TransferResult as R;
        match result {
            R::Exists | R::LinkedEventFailed | R::IdAlreadyFailed => {}
            R::ExceedsCredits if [ids.main.0, ids.fee.0].contains(&t.id) => {}
            R::DebitAccountAlreadyClosed if t.id == ids.gate.0 => {}
            _ if self.truth.contradicted => {}
            _ => {
                let detail = format!("{:#x}: {result:?}", t.id);
                self.violate("requests: nothing is sent that the ledger cannot take", detail);
            }
        }
    }

    /// Signers are asked only for what the owner signed, the ledger holds, and can still be paid.
    pub(crate) fn check_order_signing(&mut self, seq: Seq, request: &Request) {
        let known = self.order_request(request.id).map(|(known, ..)| known);
        let ids = WithdrawalIds::gasless(request.id);
        let pending = self.ledger.pending(ids.main.0);
        if known.as_ref() != Some(request) || pending.is_none() {
            let detail = format!("{seq}, {request:?}: {pending:?}");
            self.violate("signing: only what its owner signed and the ledger holds", detail);
        }
    }

    /// In the end every order that was set aside has ended, alike on both sides.
    pub(crate) fn check_orders_ended(&mut self) {
        let orders: Vec<B256> = self.users.orders.keys().copied().collect();
        for id in orders {
            let paid = self.truth.is_paid(id);
            let pending = self.ledger.pending(WithdrawalIds::gasless(id).main.0);
            let ended = match pending {
                Some(PendingStatus::Posted) => paid,
                Some(PendingStatus::Voided) | None => !paid,
                Some(PendingStatus::Pending | PendingStatus::Expired) => false,
            };
            if !ended {
                let state = self.truth.state_of(id);
                let detail = format!("order {id}: {state:?} on chain, {pending:?} in the ledger");
                self.violate("progress: all orders have ended, alike on both sides", detail);
            }
        }
    }

    /// True for transfers of gasless withdrawals.
    pub(crate) const fn is_order_leg(transfer: u128) -> bool {
        transfer >> 120 == 0x02
    }

    /// True for the fee of an order: lookups bring it beside its pending.
    pub(crate) const fn is_fee_leg(transfer: u128) -> bool {
        transfer >> 112 == 0x0203
    }

    /// What names the order of a transfer, and whether it is its pending; for lookups.
    pub(crate) fn decode_any(transfer: u128) -> Decoded {
        let decoded = crate::checks::decode(transfer);
        let named = bridge_core::id::TransferId(transfer).gasless_named();
        let is_main = (transfer >> 112) & 0xff == 1;
        let main = bridge_core::id::Kind::Main.byte();
        named.map_or(decoded, |seq| Decoded {
            kind: if is_main { main } else { 0 },
            seq,
            attempt: 0,
            rest: 0,
        })
    }
}
