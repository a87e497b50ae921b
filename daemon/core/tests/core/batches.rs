//! Several withdrawals under one signed root and in one transaction: one of them never holds up the
//! others.

use crate::common::*;
use alloy_primitives::{Bytes, keccak256};
use bridge_core::{
    block::Seq,
    command::{Call, Carried, Command, PayoutCommand, TransactionPlan},
    event::{Event, PayoutEvent},
    obstacle::Obstacle,
    vault_event::Outcome,
    withdrawal::{RefusalReason, Verdict, Work},
};

/// Most withdrawals under one root.
const BATCH_MAX: usize = 16;

/// So many requests of Alice are reserved and signed under as few roots as may be; the orders to build
/// wait.
fn signed_together(count: usize) -> (Story, Vec<Seq>, Vec<TransactionPlan>) {
    let mut story = Story::new();
    story.batches = true;
    story.mine_and_run(&[deposit(ALICE, 1_000)]);
    let last = story.mine(&vec![request(ALICE, 1); count]);
    let mut plans = Vec::new();
    for _ in 0..4 {
        story.pass(POLL_MS);
        story.apply(Event::Tick);
        while let Some(order) = story.orders.pop_front() {
            match build(&order) {
                Some(plan) => plans.push(plan),
                None => story.answer(order),
            }
        }
    }
    let first = last.minus(count as u64 - 1);
    (story, (first.0..=last.0).map(Seq).collect(), plans)
}

fn carried(plan: &TransactionPlan) -> Vec<Seq> {
    let Call::Withdrawals(items) = &plan.call else { return Vec::new() };
    items.iter().map(|item: &Carried| item.seq).collect()
}

fn built(plan: &TransactionPlan, dropped: Vec<(Seq, Obstacle)>) -> PayoutEvent {
    let raw = Bytes::from(format!("{plan:?}").into_bytes());
    PayoutEvent::Built { nonce: plan.nonce, hash: keccak256(&raw), raw, dropped }
}

#[test]
fn what_is_signed_together_goes_in_one_transaction_and_is_paid_once_each() {
    let (mut story, seqs, plans) = signed_together(5);
    assert_eq!(plans.len(), 1);
    assert_eq!(carried(&plans[0]), seqs);
    story.answer(Command::Payout(PayoutCommand::Build(plans[0].clone())));
    story.answer_all();
    assert_eq!(story.persisted().transactions[0].seqs, seqs, "durable before it is sent");
    assert_eq!(story.pool.len(), 1);
    story.mine_pool();
    story.run();
    assert!(seqs.iter().all(|seq| story.resolution(*seq).is_some()));
    assert_eq!(story.bridge.withdrawals().count(), 0);
    story.assert_well();
}

#[test]
fn roots_and_transactions_are_bounded_and_tokens_and_verdicts_are_signed_apart() {
    let (story, _, plans) = signed_together(BATCH_MAX + 3);
    assert!(story.said.iter().map(|c| asked(c).len()).all(|n| n <= BATCH_MAX));
    assert!(plans.iter().all(|plan| carried(plan).len() <= BATCH_MAX));

    let mut story = Story::new();
    story.batches = true;
    story.mine_and_run(&[deposit(ALICE, 100), Happening::Deposit(ETHX, ALICE, 100)]);
    story.mine(&[request(ALICE, 1), Happening::Request(ETHX, ALICE, 1), request(BOB, 7)]);
    for _ in 0..3 {
        story.run();
    }
    let roots: Vec<_> = story.said.iter().map(asked).filter(|root| !root.is_empty()).collect();
    assert_eq!(roots.len(), 3, "{roots:?}");
    let refused = Verdict::Refuse(RefusalReason::InsufficientFunds);
    assert_eq!(roots.iter().flatten().filter(|(_, verdict)| *verdict == refused).count(), 1);
}

#[test]
fn one_that_would_revert_is_left_out_and_tried_again_alone() {
    let (mut story, seqs, plans) = signed_together(3);
    let bad = seqs[1];
    story.apply(Event::Payout(built(&plans[0], vec![(bad, Obstacle::VaultShort)])));
    story.answer_all();
    assert_eq!(story.persisted().transactions[0].seqs, [seqs[0], seqs[2]]);
    assert!(matches!(story.withdrawal(bad).unwrap().work, Work::Backoff(_)));
    assert_eq!(story.withdrawal(bad).unwrap().obstacle, Some(Obstacle::VaultShort));

    story.pass(BACKOFF_MS);
    let again = story.run_until(build);
    assert_eq!(carried(&again), [bad]);
    assert_ne!(again.nonce, plans[0].nonce, "the others' transaction keeps its nonce");
}

#[test]
fn a_batch_that_is_not_built_frees_its_nonce_and_each_waits_for_its_own_reason() {
    let (mut story, seqs, plans) = signed_together(2);
    let nonce = plans[0].nonce;
    let dropped = vec![(seqs[0], Obstacle::DeadlinePassed), (seqs[1], Obstacle::SignersChanged)];
    let obstacle = Obstacle::DeadlinePassed;
    story.apply(Event::Payout(PayoutEvent::NotBuilt { nonce, obstacle, dropped }));
    let obstacle = |seq| story.withdrawal(seq).unwrap().obstacle;
    assert_eq!(obstacle(seqs[0]), Some(Obstacle::DeadlinePassed));
    assert_eq!(obstacle(seqs[1]), Some(Obstacle::SignersChanged));
    assert!(story.withdrawal(seqs[0]).unwrap().authorization.is_some());
    assert_eq!(story.withdrawal(seqs[1]).unwrap().authorization, None, "it is signed anew");
    story.pass(BACKOFF_MS);
    assert_eq!(story.run_until(build).nonce, nonce);
}

#[test]
fn what_a_mined_batch_skipped_starts_anew() {
    let (mut story, seqs, plans) = signed_together(3);
    story.apply(Event::Payout(built(&plans[0], Vec::new())));
    story.answer_all();
    story.pool.clear();
    story.use_nonce();
    story.mine(&[ended(seqs[0], Outcome::Paid), ended(seqs[2], Outcome::Deferred)]);
    story.run();
    assert!(story.resolution(seqs[0]).is_some() && story.resolution(seqs[2]).is_some());
    assert_eq!(story.resolution(seqs[1]), None);
    story.pass(BACKOFF_MS);
    assert_eq!(carried(&story.run_until(build)), [seqs[1]]);
    story.assert_well();
}

#[test]
fn after_a_restart_a_batch_is_cared_for_and_not_sent_twice() {
    let (mut story, seqs, plans) = signed_together(3);
    story.answer(Command::Payout(PayoutCommand::Build(plans[0].clone())));
    story.answer_all();
    story.restart();
    story.run();
    story.run();
    let others = story.said.iter().filter_map(build).filter(|plan| plan.nonce != plans[0].nonce);
    assert_eq!(others.count(), 0, "they are under way");
    story.mine_pool();
    story.run();
    assert!(seqs.iter().all(|seq| story.resolution(*seq).is_some()));
}

#[test]
fn signers_that_refuse_one_do_not_hold_up_the_others() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    story.mine(&[request(ALICE, 1), request(ALICE, 2)]);
    let order = story.run_until(|c| (asked(c).len() == 2).then(|| c.clone()));
    let [(first, verdict), (second, _)] = asked(&order)[..] else { panic!("not two") };
    let (seqs, obstacle) = (vec![first], Obstacle::SignersAway);
    story.apply(Event::Payout(PayoutEvent::NotAuthorized { seqs, obstacle }));
    let signatures = vec![Bytes::from_static(b"alone")];
    let items = vec![signed(second, verdict)];
    story.apply(Event::Payout(PayoutEvent::Authorized { items, signatures }));
    assert_eq!(carried(&story.run_until(build)), [second]);
    assert!(matches!(story.withdrawal(first).unwrap().work, Work::Backoff(_)));
}

#[test]
fn a_transaction_record_of_an_earlier_version_is_read() {
    let mut persisted = bridge_core::checkpoint::Persisted::default();
    let json = br#"{"nonce":7,"seq":3,"raw":"0x02","hash":"0x0101010101010101010101010101010101010101010101010101010101010101","fees":{"max_fee":"2","priority_fee":"1"}}"#;
    let value = [&[2][..], &json[..]].concat();
    persisted.read(b"transaction/00000000000000000007", &value).unwrap();
    assert_eq!(persisted.transactions[0].seqs, [Seq(3)]);
    assert!(persisted.is_outdated);
}

#[test]
fn without_room_for_a_transaction_signing_goes_on() {
    let mut story = Story::new();
    story.config.submitter.as_mut().unwrap().in_flight_max = 1;
    story.restart();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    // The first transaction is never mined, and each withdrawal has a root of its own.
    story.mine(&[request(ALICE, 1), request(ALICE, 2)]);
    for _ in 0..4 {
        story.run();
    }
    assert_eq!(story.pool.len(), 1);
    let later = story.mine(&[request(ALICE, 3)]);
    for _ in 0..4 {
        story.run();
    }
    assert_eq!(story.pool.len(), 1, "no room");
    assert!(story.withdrawal(later).unwrap().authorization.is_some(), "they can help themselves");
}

/// What so many units of gas can cost at the story's prices.
const fn worth(gas: u64) -> u128 {
    210 * gas as u128
}

#[test]
fn a_batch_is_no_larger_than_the_gas_money_and_the_rest_follows() {
    let mut story = Story::new();
    story.batches = true;
    // Enough for one and two more, not for three more.
    story.chain.account.balance = worth(GAS_LIMIT + 2 * 330_000) + 1;
    story.mine_and_run(&[deposit(ALICE, 1_000)]);
    story.mine(&vec![request(ALICE, 1); 5]);
    let first = story.run_until(build);
    assert_eq!((carried(&first).len(), first.gas_limit), (3, GAS_LIMIT + 2 * 330_000));
    story.answer(Command::Payout(PayoutCommand::Build(first)));
    story.answer_all();
    // The money is bound until that one is mined; nobody is held for it.
    story.run();
    assert_eq!(story.pool.len(), 1);
    assert!(story.bridge.withdrawals().all(|w| w.obstacle.is_none()));
    story.mine_pool();
    assert_eq!(carried(&story.run_until(build)).len(), 2);
}

#[test]
fn without_gas_money_nothing_is_built_and_fees_are_not_raised_beyond_it() {
    let mut story = Story::new();
    story.chain.account.balance = worth(GAS_LIMIT) - 1;
    story.mine_and_run(&[deposit(ALICE, 5)]);
    let seq = story.mine(&[request(ALICE, 5)]);
    for _ in 0..3 {
        story.run();
    }
    assert_eq!(story.said.iter().find_map(build), None);
    assert_eq!(story.withdrawal(seq).unwrap().obstacle, Some(Obstacle::GasMoneyShort));

    // Filled up for these prices, not for a quarter more.
    story.chain.account.balance = worth(GAS_LIMIT);
    // The next poll is enough, however long the pauses have become.
    let plan = story.run_until(build);
    story.answer(Command::Payout(PayoutCommand::Build(plan)));
    story.answer_all();
    let fees = story.persisted().transactions[0].fees;
    for _ in 0..5 {
        story.pass(REPLACE_MS);
        story.run();
    }
    assert_eq!(story.persisted().transactions[0].fees, fees, "nobody could pay for more");
    story.chain.account.balance = worth(2 * GAS_LIMIT);
    for _ in 0..2 {
        story.pass(REPLACE_MS);
        story.run();
    }
    assert!(story.persisted().transactions[0].fees.max_fee > fees.max_fee);
}
