//! Large payouts: through the contract's queue and out of it.

use crate::common::*;
use bridge_core::{
    block::{Seq, UnixSeconds},
    checkpoint::Persisted,
    command::{Call, Finishing},
    event::Event,
    obstacle::Obstacle,
    transfer::Phase,
    vault_event::Outcome,
    withdrawal::Status,
};

/// Alice's 30 of 100 wait in the contract's queue, put there by us.
fn queued() -> (Story, Seq) {
    let mut story = Story::new();
    story.queues = true;
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let seq = story.mine_and_run(&[request(ALICE, 30)]);
    story.run();
    story.mine_pool();
    story.run();
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Queued);
    (story, seq)
}

fn finishing(story: &Story) -> Vec<Finishing> {
    let finishing = |c| match build(c)?.call {
        Call::Finish(finishing) => Some(*finishing),
        Call::Withdrawals(_) | Call::Nothing => None,
    };
    story.said.iter().filter_map(finishing).collect()
}

#[test]
fn after_its_window_a_large_payout_is_made_and_posted() {
    let (mut story, seq) = queued();
    story.chain.mine_seconds(WINDOW_SECONDS - BLOCK_SECONDS);
    story.run();
    assert_eq!(finishing(&story), [], "not before");
    let waits = story.bridge.summary().large_payouts[0];
    assert_eq!((waits.amount.0, waits.seconds_left), (30, BLOCK_SECONDS));
    story.chain.mine_seconds(BLOCK_SECONDS);
    story.run();
    let request = story.chain.request(seq);
    assert_eq!(finishing(&story), [Finishing { seq, request, intent: None, pays: true }]);
    let sent = story.persisted().transactions;
    assert_eq!(sent[0].seqs, [seq], "durable before it is sent");
    story.mine_pool();
    story.run();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Post(_)));
    assert!(story.bridge.summary().large_payouts.is_empty());
    story.run();
    assert_eq!(finishing(&story).len(), 1, "once");
    story.assert_well();
}

#[test]
fn one_that_others_queued_before_our_time_is_made_too() {
    let (mut story, seq) = queued();
    story.chain.mine_seconds(WINDOW_SECONDS);
    // Nothing of it is on disk, no signature either: chain and ledger tell.
    story.restart_with_nothing();
    for _ in 0..3 {
        story.run();
    }
    assert_eq!(story.withdrawal(seq).unwrap().authorization, None);
    assert_eq!(finishing(&story).last().map(|f| (f.seq, f.pays)), Some((seq, true)));
    story.mine_pool();
    story.run();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Post(_)));
    story.assert_well();
}

#[test]
fn what_expired_in_the_queue_is_cancelled_and_free_again() {
    let (mut story, seq) = queued();
    story.chain.payouts_paused_until = UnixSeconds(u64::MAX);
    story.chain.mine_seconds(WINDOW_SECONDS + BLOCK_SECONDS);
    story.run();
    assert_eq!(finishing(&story), [], "paused");
    // No pause stops that.
    story.chain.mine_seconds(QUEUE_SECONDS + BLOCK_SECONDS);
    story.run();
    assert_eq!(finishing(&story).last().map(|f| (f.seq, f.pays)), Some((seq, false)));
    story.mine_pool();
    story.run();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Void(_)));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 100);
    story.assert_well();
}

#[test]
fn a_veto_is_a_void_and_nothing_is_finished() {
    let (mut story, seq) = queued();
    story.mine_and_run(&[ended(seq, Outcome::Refused)]);
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Void(_)));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 100);
    story.chain.mine_seconds(WINDOW_SECONDS + BLOCK_SECONDS);
    story.run();
    assert_eq!(finishing(&story), []);
    story.assert_well();
}

#[test]
fn where_the_contract_says_not_yet_it_is_tried_again() {
    let (mut story, seq) = queued();
    story.chain.mine_seconds(WINDOW_SECONDS);
    let plan = story.run_until(build);
    let held = not_built(plan.nonce, Obstacle::WindowOpen);
    story.apply(Event::Payout(held));
    assert_eq!(story.withdrawal(seq).unwrap().obstacle, Some(Obstacle::WindowOpen));
    story.pass(BACKOFF_LONGEST_MS);
    assert!(matches!(story.run_until(build).call, Call::Finish(_)));
}

#[test]
fn a_lost_transaction_of_a_large_payout_is_followed_by_another() {
    let (mut story, seq) = queued();
    story.chain.mine_seconds(WINDOW_SECONDS);
    story.run();
    // Somebody else used the nonce.
    story.pool.clear();
    story.use_nonce();
    story.mine_and_run(&[]);
    story.pass(BACKOFF_LONGEST_MS);
    for _ in 0..2 {
        story.run();
    }
    let tried: Vec<Seq> = finishing(&story).iter().map(|f| f.seq).collect();
    assert_eq!(tried, [seq, seq]);
    story.assert_well();
}

#[test]
fn a_record_that_tells_no_times_is_read_and_asks_the_contract() {
    let (story, seq) = queued();
    let key = format!("withdrawal/{:020}", seq.0);
    let value = &story.store[key.as_bytes()];
    let mut record: serde_json::Value = serde_json::from_slice(&value[1..]).unwrap();
    for (earlier, opens) in [(true, Some(UnixSeconds(0))), (false, None)] {
        record["queued"] = earlier.into();
        let value = [&[3][..], &serde_json::to_vec(&record).unwrap()].concat();
        let mut persisted = Persisted::default();
        persisted.read(key.as_bytes(), &value).unwrap();
        assert_eq!(persisted.withdrawals[0].queued.map(|window| window.opens), opens);
        assert!(persisted.is_outdated);
    }
}
