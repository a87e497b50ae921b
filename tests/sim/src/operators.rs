//! Operators after a halt: they look, have the node mended or approve a supersede record, and resume.
//! What the commands decide is the production code; whether it was right is judged by what the
//! contract and the ledger hold.

use crate::{
    chain::{Branch, vault::Slot},
    checks::decode,
    coverage::Transition,
    disk::SimStore,
    fault::Fault,
    ledger::{
        survey, translate,
        types::{PendingStatus, Transfer},
    },
    truth::Truth,
    world::World,
};
use bridge_core::{
    account::{NewAccount, SUSPENSE},
    amount::TokenAmount,
    asset::LedgerId,
    audit::{Entries, History},
    block::Seq,
    checkpoint::Reach,
    driver::Store,
    id::{AccountId, Kind, TransferId},
    invariant::Holdings,
    lift::{self, Looked, Question},
    posting::WithdrawalIds,
    reserves::find_break,
    supersede::Supersede,
    supersede_plan::{self, CannotSupersede, Plan},
    supersede_work::{Errand, Shown, Work},
    vault_event::Request,
};
use std::collections::{BTreeMap, BTreeSet};

/// How often an operator waits for a payout to be mined again.
const PATIENCE: usize = 3;

/// What operators know and did.
#[derive(Debug, Default)]
pub(crate) struct Operators {
    /// The branch that was final before history contradicted itself.
    pub(crate) before: Option<Branch>,
    /// What they approved.
    pub(crate) records: Vec<Supersede>,
    /// True once they did what they can.
    pub(crate) are_done: bool,
}

/// Something that chain and ledger tell differently.
#[derive(Clone, Debug)]
struct Contradiction {
    /// The event; none where sums do not fit.
    seq: Option<Seq>,
    /// The chain paid what the ledger does not owe: no command of an operator mends that.
    is_hopeless: bool,
    what: String,
}

fn wrong(seq: Seq, what: &str) -> Contradiction {
    let what = format!("event {seq}: {what}");
    Contradiction { seq: Some(seq), is_hopeless: false, what }
}

fn hopeless(seq: Seq, what: &str) -> Contradiction {
    Contradiction { is_hopeless: true, ..wrong(seq, what) }
}

impl World<'_> {
    /// The attempt under which a deposit counts.
    pub(crate) fn attempt(&self, seq: Seq) -> u8 {
        let records = &self.operators.records;
        u8::from(records.iter().any(|r| r.first <= seq && seq <= r.last))
    }

    /// The id of a deposit's credit.
    pub(crate) fn credit_id(&self, seq: Seq) -> TransferId {
        TransferId::attempt(self.instance, Kind::Deposit, seq, self.attempt(seq))
    }

    /// True if the id of a request's pending stands for a request of a superseded history.
    pub(crate) fn is_used(&self, seq: Seq, request: &Request) -> bool {
        let main = self.ledger.transfer(WithdrawalIds::of(self.instance, seq).main.0);
        self.attempt(seq) > 0 && main.is_some_and(|main| !is_own(main, request))
    }

    /// Once everybody has halted who has to.
    pub(crate) fn operate(&mut self) {
        self.operators.are_done = true;
        self.happened(Fault::Contradiction);
        self.check_halts();
        self.daemons.iter_mut().for_each(crate::daemon::Daemon::kill);
        self.drain();
        let resumed = self.resume_all();
        let is_well = resumed && self.contradictions().is_empty();
        if !is_well && self.is_sound() {
            if self.chances.fault.per_mille(500) {
                self.mend_node();
            }
            if !self.contradictions().is_empty() && !self.supersede() {
                self.tell(|| "nothing that operators can do mends this".to_owned());
                return;
            }
            self.resume_all();
        }
        self.go_on();
    }

    /// Requests that nobody waits for any more execute soon or never.
    fn drain(&mut self) {
        for request in 0..self.flights.len() {
            if self.chances.fault.per_mille(500) {
                self.on_arrival(request);
            }
            self.flights[request].executed = true;
        }
    }

    /// The node has the history again that was final.
    fn mend_node(&mut self) {
        let Some(before) = self.operators.before.clone() else { return };
        self.tell(|| "the node has its old history again".to_owned());
        let blocks = before.iter().map(|i| &self.chain.blocks[*i as usize]);
        let mined: BTreeSet<usize> = blocks.flat_map(|b| b.txs.iter().copied()).collect();
        self.chain.pool.retain(|tx| !mined.contains(tx));
        self.chain.main = before;
        self.make_final();
    }

    /// Blocks until everything that was mined is final.
    fn make_final(&mut self) {
        for _ in 0..self.chain.confirmations {
            self.mine_now(12);
        }
        self.now_true();
    }

    /// What is final is what the chain says now.
    fn now_true(&mut self) {
        let old = &self.truth;
        let mut truth = Truth::new(&self.chain);
        truth.taken_funds.clone_from(&old.taken_funds);
        truth.taken_gates.clone_from(&old.taken_gates);
        truth.taken_ledgers.clone_from(&old.taken_ledgers);
        (truth.contradicted, truth.is_rewritten) = (old.contradicted, true);
        self.truth = truth;
    }

    fn go_on(&mut self) {
        if !self.is_sound() {
            return;
        }
        self.now_true();
        self.truth.contradicted = false;
        let records = self.operators.records.clone();
        for d in 0..self.daemons.len() {
            self.daemons[d].config.superseded.clone_from(&records);
            self.restart(d);
        }
        self.begin_healing();
    }

    /// Every halted daemon is asked to go on; true if all do. None may while the cause stands, all
    /// must once it is gone.
    fn resume_all(&mut self) -> bool {
        self.now_true();
        let contradictions = self.contradictions();
        let mut all = true;
        for d in 0..self.daemons.len() {
            let Some(resumed) = self.resume(d) else { continue };
            self.moved(if resumed { Transition::Resumed } else { Transition::ResumeRefused });
            all &= resumed;
            if resumed && let Some(first) = contradictions.first() {
                let detail = format!("daemon {d}: {}", first.what);
                self.violate("operators: a halt stays while its cause stands", detail);
            }
            if !resumed && contradictions.is_empty() {
                let detail = format!("daemon {d}");
                self.violate("operators: a halt is lifted once its cause is gone", detail);
            }
        }
        all
    }

    /// `sovrd resume`; nothing for a daemon that is not halted.
    fn resume(&mut self, d: usize) -> Option<bool> {
        let persisted = self.daemons[d].disk.borrow().clone().load().ok()?;
        persisted.halt?;
        let origin = self.daemons[d].config.origin;
        let reach = persisted.checkpoint.as_ref().map(|c| c.reach.or(c.cursor)).unwrap_or_default();
        let looked = self.look(d, &Question::of(&persisted, origin), reach);
        match lift::lift(&persisted, origin, &looked) {
            Ok(changes) => {
                self.tell(|| format!("daemon {d} may go on"));
                let disk = self.daemons[d].disk.clone();
                disk.borrow_mut().fate = crate::disk::CommitFate::Durable;
                SimStore(disk.clone()).commit(&changes).ok()?;
                disk.borrow_mut().committed.clear();
                self.daemons[d].must_stay_halted = false;
                Some(true)
            }
            Err(reasons) => {
                self.tell(|| format!("daemon {d} stays halted: {}", reasons[0]));
                Some(false)
            }
        }
    }

    fn look(&self, d: usize, question: &Question, reach: Reach) -> Looked {
        let history = self.history(self.operators.records.clone(), reach);
        let entries = self.entries(&history.ids());
        let number = self.chain.final_height();
        let mut breaks = Vec::new();
        for ledger in history.listings().keys().copied() {
            let reading = survey::read(&self.ledger, (ledger, history.vault(ledger)), false);
            let Some(reading) = reading else { continue };
            let Some(position) = history.position(&reading, &entries) else { continue };
            let (holdings, books) = (self.holdings(ledger), reading.books);
            let number = bridge_core::block::BlockNumber(number);
            breaks.extend(find_break(ledger, number, &position, books, holdings));
        }
        let block = question.block.and_then(|(number, _)| self.chain.at(number.0));
        Looked {
            key: self.daemons[d].config.identity.key(),
            block: block.map(|b| b.header.block.hash),
            transfers: self.entries(&question.transfers),
            differences: history.differences(&entries),
            breaks,
        }
    }

    fn holdings(&self, ledger: LedgerId) -> Holdings {
        let token = self.chain.rules.tokens.iter().position(|l| l.ledger == ledger).unwrap_or(0);
        let accounted = self.truth.state.accounted[token];
        let claimable = self.truth.state.claimable[token].iter().map(|(_, amount)| amount).sum();
        Holdings {
            accounted: TokenAmount(accounted),
            claimable: TokenAmount(claimable),
            balance: TokenAmount(accounted + claimable),
        }
    }

    fn history(&self, records: Vec<Supersede>, reach: Reach) -> History {
        let domain = self.chain.rules.domain.clone();
        History::new(self.instance, domain, records, self.truth.events.clone(), reach)
    }

    fn entries(&self, ids: &[TransferId]) -> Entries {
        let found = ids.iter().filter_map(|id| self.ledger.transfer(id.0)).map(translate::found);
        found.map(|found| (found.id, found)).collect()
    }

    /// Where contract and ledger tell different stories, by this world's own rules.
    fn contradictions(&self) -> Vec<Contradiction> {
        let entries = self.ledger.transfers().filter(|t| self.is_ours(t));
        let mut found: Vec<_> = entries.filter_map(|t| self.entry_differs(t)).collect();
        found.extend(self.truth.requests().filter_map(|(seq, r)| self.end_differs(seq, r)));
        found.extend(self.truth.state.slots.iter().filter_map(|slot| self.order_differs(slot)));
        let sums = (0..self.chain.rules.tokens.len()).filter_map(|token| self.sum_differs(token));
        found.extend(sums);
        // No record reaches that far.
        let origin = self.daemons[0].config.origin;
        let there = self.chain.at(origin.number.0).map(|b| b.header.block.hash);
        if there != Some(origin.hash) {
            let what = "another block where the vault begins".to_owned();
            found.push(Contradiction { seq: None, is_hopeless: true, what });
        }
        found
    }

    fn is_ours(&self, t: &Transfer) -> bool {
        let ours = TransferId::chain_event(self.instance, Kind::Main, Seq(0));
        decode(t.id).rest == decode(ours.0).rest
    }

    fn entry_differs(&self, t: &Transfer) -> Option<Contradiction> {
        let id = decode(t.id);
        if id.kind == Kind::Deposit.byte() {
            // What a record covers was debited back.
            return match id.attempt.cmp(&self.attempt(id.seq)) {
                std::cmp::Ordering::Less => None,
                std::cmp::Ordering::Equal if self.is_final_deposit(t, id.seq) => None,
                std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => {
                    Some(wrong(id.seq, "a credit without its deposit"))
                }
            };
        }
        let is_main = id.kind == Kind::Main.byte() && self.attempt(id.seq) == 0;
        let own = || self.truth.request(id.seq.0).is_some_and(|request| is_own(t, request));
        (is_main && !own()).then(|| wrong(id.seq, "a pending without its request"))
    }

    fn is_final_deposit(&self, t: &Transfer, seq: Seq) -> bool {
        self.truth.deposit(seq.0).is_some_and(|deposit| {
            let owner = NewAccount::funds(deposit.ledger, deposit.owner).id.0;
            let suspense = AccountId::chart(deposit.ledger, SUSPENSE.number).0;
            let token = self.chain.rules.tokens.iter().find(|l| l.ledger == deposit.ledger);
            let units = token.map(|l| deposit.amount.0 / l.divisor.get());
            units == Some(t.amount) && [owner, suspense].contains(&t.credit_account_id)
        })
    }

    fn end_differs(&self, seq: Seq, request: &Request) -> Option<Contradiction> {
        let main = WithdrawalIds::of(self.instance, seq).main.0;
        let own = self.ledger.transfer(main).filter(|main| is_own(main, request));
        let standing = own.and_then(|_| self.ledger.pending(main));
        let reserved = matches!(standing, Some(PendingStatus::Pending | PendingStatus::Posted));
        match self.truth.is_paid(request.id) {
            true if !reserved => Some(hopeless(seq, "paid without its pending")),
            false if standing == Some(PendingStatus::Posted) => {
                Some(wrong(seq, "posted and not paid"))
            }
            true | false => None,
        }
    }

    /// An order has no number of its own that a record could cover.
    fn order_differs(&self, slot: &Slot) -> Option<Contradiction> {
        let standing = self.ledger.pending(WithdrawalIds::gasless(slot.request.id).main.0);
        let reserved = matches!(standing, Some(PendingStatus::Pending | PendingStatus::Posted));
        let lacks = slot.seq.is_intent() && self.truth.is_paid(slot.request.id) && !reserved;
        lacks.then(|| {
            let what = format!("order {}: paid without its pending", slot.request.id);
            Contradiction { seq: None, is_hopeless: true, what }
        })
    }

    fn sum_differs(&self, token: usize) -> Option<Contradiction> {
        let listing = self.chain.rules.tokens[token];
        let position = self.position(token);
        let is_solvent = position.is_solvent(TokenAmount(self.truth.state.accounted[token]));
        let is_served = !self.truth.taken_ledgers.contains(&listing.ledger.0);
        let what = || format!("{position:?} against {}", self.truth.state.accounted[token]);
        let sum = || Contradiction { seq: None, is_hopeless: false, what: what() };
        (is_served && !is_solvent).then(sum)
    }

    /// `sovrd supersede`, as often as it takes; false if no record can be approved.
    fn supersede(&mut self) -> bool {
        for _ in 0..PATIENCE {
            let contradictions = self.contradictions();
            let Some(first) = contradictions.iter().filter_map(|c| c.seq).min() else {
                return false;
            };
            if contradictions.iter().any(|c| c.is_hopeless) {
                return false;
            }
            let last =
                self.ledger.transfers().filter(|t| self.is_ours(t)).map(|t| decode(t.id).seq);
            let range = (first, last.max().unwrap_or(first));
            match self.plan(range) {
                Ok(plan) => return self.approve(&plan, range),
                Err(CannotSupersede::Unpaid { .. }) => self.make_final(),
                Err(reason) => {
                    self.tell(|| reason.to_string());
                    return false;
                }
            }
        }
        false
    }

    fn plan(&self, (first, last): (Seq, Seq)) -> Result<Plan, CannotSupersede> {
        let history = self.history(Vec::new(), Reach::default());
        let entries = self.entries(&supersede_plan::ids(self.instance, &[], first, last));
        supersede_plan::plan(self.instance, &[], (first, last), &history, &entries)
    }

    fn approve(&mut self, approved: &Plan, range: (Seq, Seq)) -> bool {
        let evidence = approved.evidence(self.instance);
        let means = self.means(approved);
        self.tell(|| format!("an operator approves {approved:?}"));
        let mut waiting = None;
        while waiting.is_none() && self.is_sound() {
            match self.plan(range) {
                Ok(plan) if plan.evidence(self.instance) == evidence => {
                    waiting = self.carry_out_record(&plan);
                }
                other => {
                    let detail = format!("{other:?}");
                    self.violate("operators: what was begun means the same when repeated", detail);
                }
            }
        }
        self.operators.records.push(approved.record(self.instance));
        if waiting != Some(0) {
            return false;
        }
        self.moved(Transition::Superseded);
        self.check_taken(approved, &means);
        if let Some(left) = self.contradictions().first() {
            let detail = left.what.clone();
            self.violate("operators: a record leaves nothing that differs", detail);
        }
        true
    }

    /// What each owner had, before, of what is debited back.
    fn means(&self, plan: &Plan) -> BTreeMap<AccountId, u128> {
        let freed = |id: AccountId| {
            let open = plan.closed.iter().filter(|c| c.account == id);
            let main = |seq| WithdrawalIds::of(self.instance, seq).main.0;
            let pending =
                open.filter(|c| self.ledger.pending(main(c.seq)) == Some(PendingStatus::Pending));
            pending.map(|c| c.amount.0).sum::<u128>()
        };
        let owners: BTreeSet<AccountId> = plan.takes.iter().map(|t| t.account).collect();
        owners.into_iter().map(|id| (id, self.free(id) + freed(id))).collect()
    }

    /// Owners gave back what they had, and LOSS bears the rest.
    fn check_taken(&mut self, plan: &Plan, means: &BTreeMap<AccountId, u128>) {
        let amount = |kind, seq| {
            let id = TransferId::attempt(self.instance, kind, seq, 0);
            self.ledger.transfer(id.0).map_or(0, |t| t.amount)
        };
        let mut wrong = None;
        for (account, had) in means {
            let takes = || plan.takes.iter().filter(|t| t.account == *account);
            let owed: u128 = takes().map(|t| t.take.0).sum();
            let back: u128 = takes().map(|t| amount(Kind::DebitedBack, t.seq)).sum();
            let lost: u128 = takes().map(|t| amount(Kind::Shortfall, t.seq)).sum();
            if back != owed.min(*had) || back + lost != owed {
                wrong = Some(format!("{account} had {had}, owed {owed}, gave {back}, lost {lost}"));
            }
        }
        if let Some(detail) = wrong {
            self.violate("operators: owners give back what they have, LOSS the rest", detail);
        }
    }

    /// The command at work; what waits for room in VAULT, or nothing if it was interrupted.
    fn carry_out_record(&mut self, plan: &Plan) -> Option<u128> {
        let mut work = Work::new(plan, self.instance);
        let mut taken = BTreeSet::new();
        loop {
            if self.chances.fault.per_mille(100) {
                self.tell(|| "the operator's command is interrupted".to_owned());
                return None;
            }
            let room = work.vaults().into_iter().filter_map(|id| Some((id, self.room(id)?)));
            let means = work.owners().into_iter().map(|id| (id, self.free(id)));
            let (entries, room, means) =
                (self.entries(&work.ids()), room.collect(), means.collect());
            match work.next(&Shown { entries, room, means, taken: taken.clone() }) {
                Errand::Create { transfers, fine } => {
                    let new: Vec<_> = transfers.iter().map(translate::transfer).collect();
                    let now = self.ledger_clock();
                    let failures = self.ledger.create_transfers(&new, now);
                    let bad = failures.iter().find(|(_, result)| !fine.contains(result));
                    if let Some((index, result)) = bad {
                        let detail = format!("{result:?} for {:?}", transfers[*index]);
                        self.violate("operators: nothing is tried that cannot be done", detail);
                    }
                }
                Errand::Open(accounts) => {
                    let new: Vec<_> = accounts.iter().map(translate::account).collect();
                    let now = self.ledger_clock();
                    let failures = self.ledger.create_accounts(&new, now).into_iter();
                    let others = failures.filter(|(_, result)| !result.is_usable());
                    taken = others.map(|(index, _)| accounts[index].id).collect();
                }
                Errand::Wait(_) => return Some(u128::MAX),
                Errand::Done { waiting, .. } => return Some(waiting),
            }
        }
    }

    fn free(&self, owner: AccountId) -> u128 {
        let account = self.ledger.account(owner.0);
        account.map_or(0, |a| a.credits_posted - a.debits_posted - a.debits_pending)
    }

    fn room(&self, vault: AccountId) -> Option<u128> {
        let a = self.ledger.account(vault.0)?;
        Some(a.debits_posted - a.credits_posted - a.credits_pending)
    }
}

/// True if a pending stands for this request.
fn is_own(main: &Transfer, request: &Request) -> bool {
    let (_, tail) = request.id.as_slice().split_at(16);
    let tail = <[u8; 16]>::try_from(tail).map_or(0, u128::from_be_bytes);
    main.user_data_128 == tail && main.user_data_64 == request.deadline.0
}
