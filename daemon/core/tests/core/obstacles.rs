//! What keeps payouts from being sent: nothing is burnt on them, and they go on when it is over.

use crate::common::*;
use alloy_primitives::Address;
use bridge_core::{
    block::{Seq, UnixSeconds},
    command::{Call, Command, Notice, PayoutCommand},
    event::Event,
    obstacle::Obstacle,
    vault_event::Outcome,
    withdrawal::{Status, Verdict},
};

/// Alice has asked for 1; the order to build its payout is taken out.
fn about_to_pay() -> (Story, Seq) {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 1000)]);
    let seq = story.mine(&[request(ALICE, 1)]);
    story.run_until(build);
    (story, seq)
}

fn refuse_build(story: &mut Story, nonce: u64, obstacle: Obstacle) {
    story.apply(Event::Payout(not_built(nonce, obstacle)));
}

fn builds(story: &Story) -> usize {
    story.said.iter().filter(|c| build(c).is_some()).count()
}

fn signings(story: &Story) -> usize {
    story.said.iter().filter(|c| authorize(c).is_some()).count()
}

/// Time until the next trial, in steps of a poll.
fn wait_for_trial(story: &mut Story) -> u64 {
    let before = story.now;
    story.run_until(build);
    story.now.0 - before.0
}

#[test]
fn what_reverts_is_not_sent_and_tried_ever_more_seldom() {
    let (mut story, seq) = about_to_pay();
    let mut pauses = Vec::new();
    for _ in 0..6 {
        refuse_build(&mut story, 0, Obstacle::VaultShort);
        let mut waited = 0;
        while !story.orders.iter().any(|o| build(o).is_some()) {
            story.pass(POLL_MS);
            story.apply(Event::Tick);
            waited += POLL_MS;
            let builds: Vec<Command> =
                story.orders.iter().filter(|o| build(o).is_some()).cloned().collect();
            story.orders.retain(|o| build(o).is_none());
            story.answer_all();
            story.orders.extend(builds);
            assert!(waited <= 2 * BACKOFF_LONGEST_MS, "it is tried again");
        }
        story.orders.clear();
        pauses.push(waited);
    }
    assert_eq!(pauses, [2_000, 4_000, 8_000, 16_000, 20_000, 20_000], "doubling, bounded");
    assert_eq!(story.pool.len(), 0, "nothing was sent");
    assert_eq!(story.persisted().transactions, []);
    assert_eq!(story.bridge.summary().held[&Obstacle::VaultShort], 1);
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Submitted);
    assert!(story.notices.contains(&Notice::PayoutHeld { seq, obstacle: Obstacle::VaultShort }));
}

#[test]
fn an_obstacle_is_forgotten_once_something_is_sent() {
    let (mut story, seq) = about_to_pay();
    refuse_build(&mut story, 0, Obstacle::BudgetExhausted);
    assert_eq!(story.withdrawal(seq).unwrap().obstacle, Some(Obstacle::BudgetExhausted));
    story.pass(BACKOFF_MS);
    story.run();
    assert_eq!(story.pool.len(), 1);
    assert_eq!(story.withdrawal(seq).unwrap().obstacle, None);
    assert!(story.bridge.summary().held.is_empty());
    story.mine_pool();
    story.run();
    assert!(story.resolution(seq).is_some());
    story.assert_well();
}

#[test]
fn signatures_that_the_vault_does_not_know_any_more_are_given_anew() {
    let (mut story, seq) = about_to_pay();
    assert_eq!(signings(&story), 1);
    refuse_build(&mut story, 0, Obstacle::SignersChanged);
    assert_eq!(story.withdrawal(seq).unwrap().authorization, None);
    assert!(story.persisted().withdrawals.iter().all(|w| w.authorization.is_none()), "for good");
    let looks = story.said.iter().filter(|c| lookup(c).is_some()).count();
    wait_for_trial(&mut story);
    assert_eq!(signings(&story), 2);
    assert!(story.said.iter().filter(|c| lookup(c).is_some()).count() > looks, "after a look");
}

#[test]
fn a_waiting_transaction_that_would_revert_now_is_replaced_by_nothing() {
    let (mut story, seq) = about_to_pay();
    let plan = story.said.iter().rev().find_map(build).unwrap();
    story.answer(Command::Payout(PayoutCommand::Build(plan)));
    story.answer_all();
    assert_eq!(story.pool.len(), 1);
    story.pass(REPLACE_MS);
    let replacement = story.run_until(build);
    assert!(matches!(replacement.call, Call::Withdrawals(_)), "the same call at first");
    refuse_build(&mut story, 0, Obstacle::SignersChanged);
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Reserved, "signed anew later");

    story.pass(REPLACE_MS);
    story.run();
    assert_eq!(story.plans[&0].call, Call::Nothing, "its nonce must not hold up the others");
    story.mine_pool();
    story.run();
    story.pass(BACKOFF_MS);
    story.run();
    assert_eq!(story.pool.keys().copied().collect::<Vec<_>>(), [1], "paid with the next nonce");
    story.mine_pool();
    story.run();
    assert!(story.resolution(seq).is_some());
}

#[test]
fn nothing_is_signed_while_payouts_are_paused_but_refusals_go_on() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    story.chain.payouts_paused_until = UnixSeconds(u64::MAX);
    let seq = story.mine(&[request(ALICE, 1)]);
    story.run();
    let greedy = story.mine(&[request(BOB, 1)]);
    story.run();
    let signed: Vec<_> = story.said.iter().filter_map(authorize).collect();
    assert!(signed.iter().all(|(s, v)| *s == greedy && *v != Verdict::Pay), "{signed:?}");
    assert_eq!(signed.len(), 1);
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Reserved);
    let until = story.bridge.summary().payouts_paused_until;
    assert_eq!(until, Some(UnixSeconds(u64::MAX)));

    story.chain.payouts_paused_until = UnixSeconds(0);
    story.run();
    assert_eq!(story.bridge.summary().payouts_paused_until, None);
    story.mine_pool();
    story.run();
    assert!(story.resolution(seq).is_some());
    story.assert_well();
}

#[test]
fn transactions_of_another_key_are_dropped_and_their_withdrawals_start_anew() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    let seq = story.mine_and_run(&[request(ALICE, 1)]);
    assert_eq!(story.persisted().transactions[0].sender, SUBMITTER);
    story.config.submitter.as_mut().unwrap().address = Address::repeat_byte(0x77);
    story.restart();
    story.pool.clear();
    // The other key has a history of its own.
    story.chain.account.latest_nonce = 40;
    story.chain.account.pending_nonce = 40;
    story.chain.account.final_nonce = 40;
    story.run();
    assert!(story.notices.contains(&Notice::SubmitterChanged { dropped: 1 }));
    assert_eq!(story.pool.keys().copied().collect::<Vec<_>>(), [40]);
    let kept = story.persisted().transactions;
    assert_eq!(kept.iter().map(|t| t.nonce).collect::<Vec<_>>(), [40], "the old one is forgotten");
    story.mine_pool();
    story.run();
    assert!(story.resolution(seq).is_some());
    assert!(!story.notices.iter().any(|n| matches!(n, Notice::TransactionLost { .. })));
}

#[test]
fn low_gas_money_is_told_once_and_once_more_when_it_is_over() {
    let mut story = Story::new();
    story.chain.account.balance = LOW_BALANCE - 1;
    story.run();
    story.run();
    let low = Notice::SubmitterLow { balance: LOW_BALANCE - 1 };
    assert_eq!(story.notices.iter().filter(|n| **n == low).count(), 1);
    assert!(story.bridge.summary().submitter.unwrap().is_low);
    story.chain.account.balance = LOW_BALANCE;
    story.run();
    story.run();
    let filled = Notice::SubmitterFilled { balance: LOW_BALANCE };
    assert_eq!(story.notices.iter().filter(|n| **n == filled).count(), 1);
    assert!(!story.bridge.summary().submitter.unwrap().is_low);
}

#[test]
fn refusals_leave_a_slot_for_payouts() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    // Ten requests that nothing covers, then one that is covered.
    story.mine_and_run(&[request(BOB, 1); 10]);
    assert_eq!(story.pool.len(), 3, "of four slots");
    let seq = story.mine_and_run(&[request(ALICE, 1)]);
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Submitted);
    assert_eq!(story.pool.len(), 4);
    for _ in 0..8 {
        story.mine_pool();
        story.run();
    }
    assert!(story.resolution(seq).is_some());
    assert_eq!(story.bridge.summary().open_withdrawals, 0, "the refusals come through too");
}

#[test]
fn refusals_leave_questions_for_payouts() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    story.mine(&vec![request(BOB, 1); 200]);
    // The signers answer nobody.
    let mut waiting = Vec::new();
    for _ in 0..6 {
        story.pass(POLL_MS);
        story.apply(Event::Tick);
        while let Some(order) = story.orders.pop_front() {
            match asked(&order) {
                none if none.is_empty() => story.answer(order),
                some => waiting.extend(some),
            }
        }
    }
    assert_eq!(waiting.len(), 48, "of 64");
    let seq = story.mine(&[request(ALICE, 1)]);
    assert_eq!(story.run_until(authorize), (seq, Verdict::Pay));
}

#[test]
fn tips_follow_what_others_give_up_to_the_cap() {
    let tips = |tip| {
        let mut story = Story::new();
        story.chain.tip = tip;
        story.mine_and_run(&[deposit(ALICE, 5)]);
        story.mine(&[request(ALICE, 1)]);
        story.run_until(build).fees
    };
    assert_eq!((tips(3).priority_fee, tips(3).max_fee), (10, 210), "never below the least");
    assert_eq!((tips(50).priority_fee, tips(50).max_fee), (50, 250));
    assert_eq!((tips(5_000).priority_fee, tips(5_000).max_fee), (FEE_CAP, FEE_CAP));
}

#[test]
fn a_paid_withdrawal_leaves_no_obstacle_behind() {
    let (mut story, seq) = about_to_pay();
    refuse_build(&mut story, 0, Obstacle::AlreadyEnded);
    assert_eq!(builds(&story), 1);
    story.mine_and_run(&[ended(seq, Outcome::Paid)]);
    assert!(story.bridge.summary().held.is_empty());
    assert!(story.resolution(seq).is_some());
}
