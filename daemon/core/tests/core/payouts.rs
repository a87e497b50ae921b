//! The submitter's nonces and fees.

use crate::common::*;
use bridge_core::{
    block::Seq,
    command::{Call, Command, Fees, Notice},
    event::{Event, PayoutEvent},
    obstacle::Obstacle,
    vault_event::Outcome,
    withdrawal::{Status, Verdict, Work},
};

/// Alice has asked for 1, so many times; the orders to build are unanswered.
fn building(count: usize) -> (Story, Vec<Seq>) {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 1000)]);
    let last = story.mine(&vec![request(ALICE, 1); count]);
    let first = last.minus(count as u64 - 1);
    let first_plan = story.run_until(build);
    story.orders.push_back(Command::Payout(bridge_core::command::PayoutCommand::Build(first_plan)));
    // Everything else is answered, only the builds are left.
    let mut builds = Vec::new();
    while let Some(order) = story.orders.pop_front() {
        if build(&order).is_some() { builds.push(order) } else { story.answer(order) }
    }
    builds.sort_by_key(|order| build(order).map(|plan| plan.nonce));
    story.orders.extend(builds);
    (story, (first.0..=last.0).map(Seq).collect())
}

fn fees_of(story: &Story, nonce: u64) -> Fees {
    story.plans[&nonce].fees
}

/// Time passes with a poll every now and then.
fn wait(story: &mut Story, ms: u64) {
    story.pass(ms);
    story.run();
}

#[test]
fn every_payout_has_a_nonce_of_its_own_and_only_so_many_wait() {
    let (mut story, seqs) = building(6);
    let nonces: Vec<_> = story.orders.iter().filter_map(build).map(|plan| plan.nonce).collect();
    assert_eq!(nonces, [0, 1, 2, 3], "in_flight_max is 4");
    story.answer_all();
    story.mine_pool();
    story.run();
    story.mine_pool();
    story.run();
    assert!(seqs.iter().all(|seq| story.resolution(*seq).is_some()));
    assert_eq!(story.chain.account.final_nonce, 6);
    assert_eq!(story.bridge.summary().transactions_in_flight, 0);
    assert_eq!(story.persisted().transactions, []);
}

#[test]
fn nonces_of_transactions_that_only_the_node_knows_are_left_alone() {
    let mut story = Story::new();
    story.chain.account.latest_nonce = 5;
    story.chain.account.pending_nonce = 7;
    story.mine(&[deposit(ALICE, 5)]);
    story.mine(&[request(ALICE, 5)]);
    assert_eq!(story.run_until(build).nonce, 7);
}

#[test]
fn a_nonce_whose_transaction_could_not_be_built_is_used_by_the_next() {
    let (mut story, seqs) = building(2);
    let gap = story.orders.pop_front().unwrap();
    assert_eq!(build(&gap).unwrap().nonce, 0);
    story.answer_all();
    assert_eq!(story.pool.keys().copied().collect::<Vec<_>>(), [1]);
    story.apply(Event::Payout(not_built(0, Obstacle::NodeAway)));
    assert!(matches!(story.withdrawal(seqs[0]).unwrap().work, Work::Backoff(_)));

    wait(&mut story, BACKOFF_MS);
    assert_eq!(story.pool.keys().copied().collect::<Vec<_>>(), [0, 1], "no gap is left");
    story.mine_pool();
    story.run();
    assert!(seqs.iter().all(|seq| story.resolution(*seq).is_some()));
}

#[test]
fn waiting_transactions_are_sent_again_and_then_replaced() {
    let (mut story, seqs) = building(1);
    story.answer_all();
    let first = story.pool.remove(&0).unwrap();
    let cheap = fees_of(&story, 0);
    assert_eq!(cheap, Fees { max_fee: 210, priority_fee: 10 });

    wait(&mut story, REBROADCAST_MS);
    assert_eq!(story.pool.remove(&0).as_ref(), Some(&first), "the same bytes");
    wait(&mut story, REPLACE_MS - REBROADCAST_MS);
    let dear = fees_of(&story, 0);
    assert!(dear.max_fee * 10 >= cheap.max_fee * 11, "nodes ask for a tenth more");
    assert!(dear.priority_fee * 10 >= cheap.priority_fee * 11);
    let Call::Withdrawals(items) = &story.plans[&0].call else { panic!() };
    assert_eq!(items[0].seq, seqs[0], "the same call under the same nonce");
    assert_ne!(story.pool[&0], first);
    assert_eq!(story.persisted().transactions[0].fees, dear);
}

#[test]
fn fees_follow_the_base_fee_and_stop_at_the_cap() {
    let (mut story, _) = building(1);
    story.answer_all();
    story.chain.base_fee = 300;
    wait(&mut story, REPLACE_MS);
    assert!(fees_of(&story, 0).max_fee >= 600);
    for _ in 0..10 {
        wait(&mut story, REPLACE_MS);
    }
    let fees = fees_of(&story, 0);
    assert!(fees.max_fee <= FEE_CAP && fees.priority_fee <= fees.max_fee, "{fees:?}");
    story.pool.clear();
    wait(&mut story, REPLACE_MS);
    assert_eq!(story.pool.len(), 1, "at the cap it is still sent again");
}

#[test]
fn a_nonce_that_a_stranger_used_means_work_again() {
    let (mut story, seqs) = building(1);
    story.answer_all();
    story.pool.clear();
    story.use_nonce();
    story.mine(&[]);
    story.run();
    assert!(story.notices.contains(&Notice::TransactionLost { seq: seqs[0], nonce: 0 }));
    assert_eq!(story.persisted().transactions, []);

    let signatures = story.said.iter().filter_map(authorize).count();
    wait(&mut story, BACKOFF_MS);
    assert_eq!(story.pool.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(story.said.iter().filter_map(authorize).count(), signatures, "it is signed already");
    story.mine_pool();
    story.run();
    assert!(story.resolution(seqs[0]).is_some());
}

#[test]
fn a_nonce_that_nobody_uses_is_filled_or_those_above_it_would_wait_for_ever() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 1000)]);
    // Another process with the same key had sent nonce 0; then the pools forgot it.
    story.chain.account.pending_nonce = 1;
    let seq = story.mine(&[request(ALICE, 1)]);
    story.run();
    story.chain.account.pending_nonce = 0;
    assert_eq!(story.pool.keys().copied().collect::<Vec<_>>(), [1]);
    wait(&mut story, REPLACE_MS - 1);
    assert!(!story.plans.contains_key(&0), "it may still come");
    wait(&mut story, REPLACE_MS);
    assert_eq!(story.plans[&0].call, Call::Nothing);
    assert!(story.notices.contains(&Notice::NonceFilled { nonce: 0 }));
    assert_eq!(story.persisted().transactions.len(), 2, "durable before it is sent");

    story.mine_pool();
    story.run();
    assert!(story.resolution(seq).is_some());
    assert_eq!(story.persisted().transactions, []);
}

#[test]
fn a_used_nonce_whose_payout_is_not_final_is_not_work_again() {
    let (mut story, seqs) = building(1);
    story.answer_all();
    story.chain.account.latest_nonce = 1;
    wait(&mut story, 2 * REPLACE_MS);
    assert_eq!(story.withdrawal(seqs[0]).unwrap().status(), Status::Submitted);
    assert!(!story.notices.iter().any(|n| matches!(n, Notice::TransactionLost { .. })));
    assert_eq!(story.said.iter().filter(|c| build(c).is_some()).count(), 1, "no replacement");
}

#[test]
fn what_has_ended_another_way_is_replaced_by_nothing() {
    let (mut story, seqs) = building(1);
    story.answer_all();
    story.mine_and_run(&[ended(seqs[0], Outcome::Cancelled)]);
    assert_eq!(story.withdrawal(seqs[0]), None);
    wait(&mut story, REPLACE_MS);
    assert_eq!(story.plans[&0].call, Call::Nothing);
    story.mine_pool();
    story.run();
    assert_eq!(story.bridge.summary().transactions_in_flight, 0);
    story.assert_well();
}

#[test]
fn a_build_that_failed_after_the_end_does_not_post_twice() {
    let (mut story, seqs) = building(1);
    story.orders.clear();
    story.mine(&[ended(seqs[0], Outcome::Paid)]);
    let post = story.run_until(ledger_command);
    story.apply(Event::Payout(not_built(0, Obstacle::NodeAway)));
    assert_eq!(story.bridge.summary().queued_operations, 1);
    story.answer(Command::Ledger(post));
    story.answer_all();
    let settled = |n: &&Notice| matches!(n, Notice::WithdrawalSettled { .. });
    assert_eq!(story.notices.iter().filter(settled).count(), 1);
    story.assert_well();
}

#[test]
fn only_so_many_questions_wait_for_signers_and_chain() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 1000)]);
    story.mine(&vec![request(ALICE, 1); 500]);
    story.pass(POLL_MS);
    story.apply(Event::Tick);
    let mut waiting = Vec::new();
    while let Some(order) = story.orders.pop_front() {
        if authorize(&order).is_some() {
            waiting.push(order)
        } else {
            story.answer(order)
        }
        story.apply(Event::Tick);
    }
    let questions: usize = waiting.iter().map(|order| asked(order).len()).sum();
    assert!((1..=64).contains(&questions), "{questions}");
    story.orders.extend(waiting);
    for _ in 0..200 {
        story.run();
        story.mine_pool();
    }
    assert_eq!(story.bridge.withdrawals().count(), 0, "in the end all are paid");

    story.config.submitter = None;
    story.apply(Event::Stop);
    story.restart();
    story.mine_and_run(&vec![request(ALICE, 1); 500]);
    story.chain.mine_seconds(story.chain.deadline_in + 2 * BLOCK_SECONDS);
    story.run_until(read_state);
    assert!(story.orders.iter().filter(|o| read_state(o).is_some()).count() < 64);
    for _ in 0..20 {
        story.run();
    }
    assert_eq!(story.bridge.withdrawals().count(), 1, "but the one that was never answered");
}

#[test]
fn signers_that_refuse_are_asked_again_later_and_only_after_another_look() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let seq = story.mine(&[request(ALICE, 5)]);
    assert_eq!(story.run_until(authorize), (seq, Verdict::Pay));
    let (seqs, obstacle) = (vec![seq], Obstacle::SignersAway);
    story.apply(Event::Payout(PayoutEvent::NotAuthorized { seqs, obstacle }));
    story.answer_all();
    let before = story.said.len();
    story.run();
    assert_eq!(story.said[before..].iter().find_map(authorize), None, "not before the pause");

    story.pass(BACKOFF_MS);
    story.run_until(authorize);
    assert!(story.said[before..].iter().find_map(lookup).is_some(), "looked up anew");
}

#[test]
fn signatures_that_come_too_late_are_dropped() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let seq = story.mine(&[request(ALICE, 5)]);
    let (_, verdict) = story.run_until(authorize);
    story.mine_and_run(&[ended(seq, Outcome::Cancelled)]);
    let (items, signatures) = (vec![signed(seq, verdict)], Vec::new());
    story.apply(Event::Payout(PayoutEvent::Authorized { items, signatures }));
    story.answer_all();
    assert_eq!(story.pool.len(), 0);
    assert_eq!(story.withdrawal(seq), None);
    story.assert_well();
}

#[test]
fn nothing_is_submitted_past_the_deadline() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let seq = story.mine(&[request(ALICE, 5)]);
    let (_, verdict) = story.run_until(authorize);
    story.chain.mine_seconds(story.chain.deadline_in + 2 * BLOCK_SECONDS);
    let (_, block) = story.run_until(read_state);
    let (items, signatures) = (vec![signed(seq, verdict)], Vec::new());
    story.apply(Event::Payout(PayoutEvent::Authorized { items, signatures }));
    story.apply(Event::State { endpoint: FIRST, seq, block: block.number, state: None });
    for _ in 0..3 {
        story.pass(BACKOFF_MS);
        story.run_until(read_state);
        story.apply(Event::State { endpoint: FIRST, seq, block: block.number, state: None });
    }
    assert_eq!(story.said.iter().find_map(build), None);
}

#[test]
fn a_daemon_without_a_submitter_only_follows() {
    let mut story = Story::new();
    story.config.submitter = None;
    story.restart();
    story.mine(&[deposit(ALICE, 5)]);
    let seq = story.mine_and_run(&[request(ALICE, 5)]);
    assert_eq!(story.said.iter().find_map(authorize), None);
    story.mine_and_run(&[ended(seq, Outcome::Paid)]);
    assert!(story.resolution(seq).is_some());
    story.assert_well();
}
