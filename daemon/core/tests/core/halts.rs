//! Contradictions: what is only an alarm, what halts, what a halt does, and how it is lifted.

use crate::common::*;
use bridge_core::{
    account::{LOSS, NewAccount},
    amount::LedgerAmount,
    audit::{Entries, History},
    block::Seq,
    checkpoint::Reach,
    command::{Command, LedgerCommand, Notice, PayoutCommand, RequestId},
    eip712::Domain,
    event::{Event, LedgerEvent},
    halt::{Evidence, Told},
    id::{AccountId, TransferId},
    posting::{Standing, WithdrawalIds},
    supersede_plan::{self, CannotSupersede, Plan},
    supersede_work::{Errand, Shown, Work},
    transfer::{NewTransfer, Phase, TransferCode},
    vault_event::Outcome,
};
use std::collections::BTreeSet;

/// Nothing was held against the ledger yet, as for every instance that ran before.
fn known() -> Story {
    let mut story = Story::new();
    story.config.is_new = false;
    story.config.pauser = true;
    story.restart();
    story.run();
    story
}

/// Enough polls for a replaced block to be believed, and everything read again.
fn run_long(story: &mut Story) {
    for _ in 0..2 * SUSPICIONS {
        story.run();
    }
}

#[test]
fn the_same_events_in_other_blocks_are_an_alarm_only() {
    let mut story = known();
    let seq = story.mine_and_run(&[deposit(ALICE, 50)]);
    story.mine_and_run(&[deposit(BOB, 6), request(ALICE, 20)]);
    let before = story.ledger.history.clone();
    story.chain.rewind(2);
    story.chain.salt = 9;
    story.mine(&[]);
    story.mine(&[deposit(ALICE, 50), deposit(BOB, 6), request(ALICE, 20)]);
    run_long(&mut story);
    assert_eq!(story.bridge.halted(), None);
    assert_eq!(story.ledger.history, before);
    assert!(story.notices.contains(&Notice::DepositReincluded { seq }));
    story.assert_well();
    assert!(!story.bridge.summary().is_comparing);
}

#[test]
fn another_order_halts_and_leaves_the_ledger_alone() {
    let mut story = known();
    let seq = story.mine_and_run(&[deposit(ALICE, 50)]);
    story.mine_and_run(&[request(ALICE, 20)]);
    story.apply(Event::Stop);
    let before = story.ledger.history.clone();
    story.chain.rewind(2);
    story.mine(&[request(ALICE, 20)]);
    story.mine(&[deposit(ALICE, 50)]);
    run_long(&mut story);
    story.assert_halted(|e| {
        matches!(e, Evidence::DepositDiffers {
            seq: s, chain: Told::Request { owner: ALICE, .. }, ledger: Some(entry)
        } if s == seq && entry.amount.0 == 50 && entry.standing == Standing::Posted)
    });
    assert_eq!(story.ledger.history, before);
}

#[test]
fn a_fresh_store_halts_again_before_anything_is_written_or_signed() {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    story.chain.rewind(1);
    story.mine(&[deposit(BOB, 50), request(BOB, 50)]);
    story.mine(&[]);
    let before = story.ledger.history.clone();
    story.restart_with_nothing();
    let said = story.said.len();
    run_long(&mut story);
    story.assert_halted(|e| matches!(e, Evidence::DepositDiffers { .. }));
    assert_eq!(story.ledger.history, before);
    assert_eq!(story.said[said..].iter().find_map(authorize), None);
}

#[test]
fn a_halt_pauses_payouts_on_chain_once_in_every_process() {
    let mut story = known();
    let seq = story.mine_and_run(&[request(ALICE, 6)]);
    story.mine_and_run(&[ended(seq, Outcome::Paid)]);
    assert!(story.bridge.halted().is_some());
    assert_eq!(story.pauses, 1);
    run_long(&mut story);
    assert_eq!(story.pauses, 1);
    story.restart();
    run_long(&mut story);
    assert_eq!(story.pauses, 2);
    let pause = |c: &&Command| **c == Command::Payout(PayoutCommand::Pause);
    assert_eq!(story.said.iter().filter(pause).count(), 2);
}

#[test]
fn a_ledger_that_was_restored_from_an_older_state_halts_before_it_is_written_to() {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    let older = story.ledger.clone();
    story.mine_and_run(&[deposit(ALICE, 7)]);
    story.apply(Event::Stop);
    let known = story.persisted().checkpoint.unwrap().witness.unwrap();

    story.ledger.restore(&older);
    story.restart();
    story.mine(&[deposit(BOB, 1)]);
    run_long(&mut story);
    story.assert_halted(|e| e == Evidence::LedgerLost { transfer: known });
    assert_eq!(story.ledger.history, older.history);
}

#[test]
fn a_single_lookup_that_misses_is_asked_again() {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    story.apply(Event::Stop);
    story.restart();
    let LedgerCommand::LookupTransfers { request, .. } = story.run_until(lookup) else {
        panic!("a lookup was picked")
    };
    story.apply(Event::Ledger(LedgerEvent::Found { request, transfers: Vec::new() }));
    story.answer_all();
    run_long(&mut story);
    story.assert_well();
}

#[test]
fn a_resumed_bridge_takes_the_whole_history_in_again() {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    let good = story.chain.clone();
    story.chain.rewind(1);
    story.mine(&[]);
    story.mine(&[]);
    run_long(&mut story);
    story.assert_halted(|e| matches!(e, Evidence::DepositDiffers { chain: Told::Nothing, .. }));

    // The node was wrong: the old history is back.
    story.chain = good;
    story.mine(&[]);
    resume(&mut story);
    run_long(&mut story);
    story.assert_well();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 50);
}

#[test]
fn a_bridge_resumed_too_early_halts_again() {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    story.chain.rewind(1);
    story.mine(&[]);
    story.mine(&[]);
    run_long(&mut story);
    resume(&mut story);
    let said = story.said.len();
    run_long(&mut story);
    story.assert_halted(|e| matches!(e, Evidence::DepositDiffers { .. }));
    assert_eq!(story.said[said..].iter().find_map(create_transfers), None);
}

/// As `sovrd resume` does once it found no cause any more.
fn resume(story: &mut Story) {
    for change in story.persisted().to_resume(story.chain.origin()) {
        match change.to_write() {
            (key, Some(value)) => story.store.insert(key, value),
            (key, None) => story.store.remove(&key),
        };
    }
    story.restart();
}

fn history(story: &Story) -> History {
    let from = story.chain.origin().number.plus(1);
    let to = story.chain.tip().block.number;
    let request = bridge_core::command::RangeRequest {
        endpoint: bridge_core::endpoint::EndpointId::default(),
        from,
        to,
        all_headers: false,
        attempt: 0,
    };
    let logs = story.chain.range(request).logs;
    let domain = Domain::new(CHAIN_ID, VAULT);
    let records = story.config.superseded.clone();
    let reach = story.persisted().checkpoint.map(|c| c.reach).unwrap_or_default();
    History::new(story.instance(), domain, records, logs, reach)
}

fn entries(story: &mut Story, ids: Vec<TransferId>) -> Entries {
    let request = RequestId(0);
    let found = story.ledger.execute(&LedgerCommand::LookupTransfers { request, ids });
    let LedgerEvent::Found { transfers, .. } = found else { panic!("a lookup finds") };
    transfers.into_iter().map(|t| (t.id, t)).collect()
}

fn plan(story: &mut Story, first: u64, last: u64) -> Result<Plan, CannotSupersede> {
    let (instance, records) = (story.instance(), story.config.superseded.clone());
    let (first, last) = (Seq(first), Seq(last));
    let ids = supersede_plan::ids(instance, &records, first, last);
    let entries = entries(story, ids);
    supersede_plan::plan(instance, &records, (first, last), &history(story), &entries)
}

/// As `sovrd supersede` does with the right evidence.
fn carry_out(story: &mut Story, plan: &Plan) -> (u128, u128, u128) {
    let instance = story.instance();
    let registry = NewAccount::instance_registry(story.config.identity.key(), instance);
    story.ledger.create_account(&registry);
    let mut work = Work::new(plan, instance);
    let request = RequestId(0);
    loop {
        let entries = entries(story, work.ids());
        let room = work.vaults().into_iter().map(|id| (id, story.ledger.room(id))).collect();
        let means = work.owners().into_iter().map(|id| (id, story.ledger.available(id))).collect();
        match work.next(&Shown { entries, room, means, taken: BTreeSet::new() }) {
            Errand::Create { transfers, fine } => {
                let create = LedgerCommand::CreateTransfers { request, transfers };
                let LedgerEvent::Transfers { failures, .. } = story.ledger.execute(&create) else {
                    panic!("transfers answer transfers")
                };
                assert!(failures.iter().all(|(_, result)| fine.contains(result)), "{failures:?}");
            }
            Errand::Open(accounts) => {
                let usable = |new| story.ledger.create_account(new).is_usable();
                assert!(accounts.iter().all(usable));
            }
            Errand::Wait(ledger) => panic!("no room on {ledger}"),
            Errand::Done { back, lost, waiting } => {
                let record = plan.record(instance);
                if !story.config.superseded.contains(&record) {
                    story.config.superseded.push(record);
                }
                return (back, lost, waiting);
            }
        }
    }
}

fn loss(story: &mut Story) -> u128 {
    story.ledger.debits(AccountId::chart(USDX.ledger, LOSS.number))
}

/// Alice's deposit is final and credited, then Bob's stands in its place.
fn replaced() -> Story {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    story.chain.rewind(1);
    story.mine(&[deposit(BOB, 30)]);
    story.mine(&[]);
    run_long(&mut story);
    assert!(story.bridge.halted().is_some());
    story
}

#[test]
fn a_superseded_credit_is_debited_back_and_its_number_credited_anew() {
    let mut story = replaced();
    assert_eq!(history(&story).differences(&all_entries(&mut story)).len(), 1);
    let approved = plan(&mut story, 3, 3).unwrap();
    assert_eq!(approved.takes[0].take.0, 50);
    carry_out(&mut story, &approved);
    assert_eq!(history(&story).differences(&all_entries(&mut story)), []);
    resume(&mut story);
    run_long(&mut story);
    story.assert_well();
    let of = |owner| story.ledger.balance(USDX.ledger, owner);
    assert_eq!((of(ALICE), of(BOB)), (0, 30));
    assert_eq!(loss(&mut story), 0);

    // Every later replay consults the record, also with nothing else.
    let before = story.ledger.history.clone();
    story.restart_with_nothing();
    run_long(&mut story);
    story.assert_well();
    assert_eq!(story.ledger.history, before);
}

fn all_entries(story: &mut Story) -> Entries {
    let ids = history(story).ids();
    entries(story, ids)
}

#[test]
fn what_was_spent_meanwhile_is_a_loss_and_what_vanished_with_it_is_not() {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    let paid = story.mine_and_run(&[request(ALICE, 20)]);
    story.mine_and_run(&[ended(paid, Outcome::Paid)]);
    let open = story.mine_and_run(&[request(ALICE, 5)]);
    // She also spent 10 inside the ledger.
    let shop = AccountId::chart(USDX.ledger, bridge_core::account::FEES.number);
    story.ledger.move_posted(NewAccount::funds(USDX.ledger, ALICE).id, shop, 10);
    story.chain.rewind(4);
    for _ in 0..5 {
        story.mine(&[]);
    }
    run_long(&mut story);
    assert!(story.bridge.halted().is_some());

    let plan = plan(&mut story, 3, open.0).unwrap();
    let take = plan.takes[0];
    assert_eq!((take.credited.0, take.paid_out.0, take.take.0), (50, 20, 30));
    let closed: Vec<_> = plan.closed.iter().map(|c| (c.seq, c.posted)).collect();
    assert_eq!(closed, [(paid, true), (open, false)]);
    carry_out(&mut story, &plan);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 0);
    assert_eq!(loss(&mut story), 10);
    let vault =
        AccountId::vault_chart(USDX.ledger, story.instance(), bridge_core::account::VAULT.number);
    assert_eq!(story.ledger.net(vault), 0, "nothing of it is held any more");
    resume(&mut story);
    run_long(&mut story);
    story.assert_well();
}

/// Alice's money was paid out in both histories, and what paid for it vanished from the new one.
#[test]
fn a_loss_that_vault_has_no_room_for_waits_untried() {
    let mut story = known();
    story.mine_and_run(&[deposit(BOB, 100)]);
    let open = story.mine_and_run(&[request(BOB, 95)]);
    story.mine_and_run(&[deposit(ALICE, 20)]);
    let paid = story.mine_and_run(&[request(ALICE, 20)]);
    let last = story.mine_and_run(&[ended(paid, Outcome::Paid)]);
    story.chain.rewind(3);
    story.mine(&[deposit(BOB, 1)]);
    story.mine(&[request(ALICE, 20), ended(paid, Outcome::Paid)]);
    story.mine(&[]);
    run_long(&mut story);
    assert!(story.bridge.halted().is_some());

    let approved = plan(&mut story, 5, last.0).unwrap();
    assert_eq!(approved.kept, [paid]);
    for _ in 0..2 {
        assert_eq!(carry_out(&mut story, &approved), (0, 0, 20));
    }
    let ids = WithdrawalIds::of(story.instance(), open);
    let [loss_id] = approved.shortfalls(story.instance(), &Entries::new())[..] else {
        panic!("one loss")
    };
    assert!(!story.ledger.was_tried(loss_id.id), "tried in vain, its id would be burnt");

    let void = NewTransfer {
        id: ids.resolve,
        amount: LedgerAmount(0),
        phase: Phase::Void(ids.main),
        code: TransferCode::Withdrawal,
        ..loss_id
    };
    let request = RequestId(0);
    let transfers = vec![void];
    story.ledger.execute(&LedgerCommand::CreateTransfers { request, transfers });
    assert_eq!(carry_out(&mut story, &approved), (0, 20, 0));
    assert_eq!(loss(&mut story), 20);
}

#[test]
fn a_request_of_the_new_history_under_a_used_number_is_refused_and_halts_nothing() {
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    let used = story.mine_and_run(&[request(ALICE, 20)]);
    story.chain.rewind(2);
    story.mine(&[deposit(BOB, 50)]);
    story.mine(&[request(BOB, 30)]);
    story.mine(&[]);
    run_long(&mut story);
    assert!(story.bridge.halted().is_some());
    let plan = plan(&mut story, 3, used.0).unwrap();
    carry_out(&mut story, &plan);
    resume(&mut story);
    run_long(&mut story);
    assert_eq!(story.bridge.halted(), None);
    // The old payout's transaction uses its nonce up: the contract knows no such request.
    story.pool.remove(&0);
    story.use_nonce();
    story.mine_pool();
    run_long(&mut story);
    story.assert_well();
    assert_eq!(story.ledger.balance(USDX.ledger, BOB), 50, "nothing of his is held back");
    assert!(story.withdrawal(used).is_none(), "refused on chain and over");
}

#[test]
fn what_cannot_be_superseded_is_said() {
    let mut story = replaced();
    assert!(matches!(plan(&mut story, 0, 3), Err(CannotSupersede::BadRange { .. })));
    assert!(matches!(plan(&mut story, 4, 3), Err(CannotSupersede::BadRange { .. })));
    assert!(matches!(plan(&mut story, 1, 2), Err(CannotSupersede::Nothing { .. })));

    // Paid from what was credited before the range.
    let mut story = known();
    story.mine_and_run(&[deposit(ALICE, 50)]);
    let paid = story.mine_and_run(&[request(ALICE, 20)]);
    story.mine_and_run(&[ended(paid, Outcome::Paid)]);
    story.chain.rewind(2);
    for _ in 0..3 {
        story.mine(&[]);
    }
    run_long(&mut story);
    let refused = plan(&mut story, paid.0, paid.0);
    assert!(matches!(refused, Err(CannotSupersede::PaidFromElsewhere { .. })), "{refused:?}");
}

#[test]
fn the_evidence_changes_with_what_would_be_done() {
    let mut story = replaced();
    let first = plan(&mut story, 3, 3).unwrap().evidence(story.instance());
    assert_eq!(plan(&mut story, 3, 3).unwrap().evidence(story.instance()), first);
    story.chain.rewind(2);
    story.mine(&[deposit(BOB, 31)]);
    assert_ne!(plan(&mut story, 3, 3).unwrap().evidence(story.instance()), first);
}

#[test]
fn reach_keeps_the_farther_of_both() {
    let story = known();
    let cursor = story.bridge.summary().acknowledged;
    let far = Reach { block: cursor.block.number.plus(5), next_seq: Seq(1) };
    let both = far.or(cursor);
    assert_eq!((both.block, both.next_seq), (far.block, cursor.next_seq));
}
