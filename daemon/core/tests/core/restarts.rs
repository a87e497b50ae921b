//! What holds when the process dies and starts again: with its store, with an old one, with none.

use crate::common::*;
use alloy_primitives::{B256, Bytes};
use bridge_core::{
    block::Seq,
    bridge::CannotStart,
    command::{Command, LedgerCommand},
    event::{ContractState, Event, PayoutEvent},
    halt::Evidence,
    transfer::Phase,
    vault_event::{Origin, Outcome},
    withdrawal::{Reservation, Verdict},
};

/// Alice had 100 and asked for 30; a transaction carries it.
fn submitted() -> (Story, Seq) {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let seq = story.mine_and_run(&[request(ALICE, 30)]);
    assert_eq!(story.pool.len(), 1);
    (story, seq)
}

fn acknowledged(story: &Story) -> Seq {
    story.persisted().checkpoint.map_or(Seq(1), |c| c.cursor.next_seq)
}

#[test]
fn the_checkpoint_waits_for_the_ledger() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let (request, transfers) = story.run_until(create_transfers);
    for _ in 0..3 {
        story.pass(CHECKPOINT_MS);
        story.run();
        assert_eq!(acknowledged(&story), Seq(3), "listings only");
    }
    story.answer(Command::Ledger(LedgerCommand::CreateTransfers { request, transfers }));
    story.pass(CHECKPOINT_MS);
    story.run();
    assert_eq!(acknowledged(&story), Seq(4));
}

#[test]
fn a_stop_in_order_writes_down_what_is_acknowledged() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    assert_eq!(acknowledged(&story), Seq(1));
    story.apply(Event::Stop);
    assert_eq!(acknowledged(&story), Seq(4));
}

#[test]
fn dying_after_every_single_order_pays_and_posts_once() {
    let lives = |deaths: usize| {
        let mut story = Story::new();
        story.mine(&[deposit(ALICE, 100), request(ALICE, 30), request(BOB, 1)]);
        let mut left = deaths;
        for _ in 0..12 {
            story.pass(CHECKPOINT_MS);
            story.apply(Event::Tick);
            while let Some(order) = story.orders.pop_front() {
                story.answer(order);
                if left == 0 {
                    story.restart();
                }
                left = left.wrapping_sub(1);
            }
            story.mine_pool();
        }
        story
    };
    for deaths in 0..40 {
        let story = lives(deaths);
        assert_eq!(story.ledger.history.len(), 4, "deposit, gate, pending, post: {deaths}");
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 70);
        assert_eq!(story.bridge.withdrawals().count(), 0, "{deaths}");
        assert!(story.bridge.halted().is_none());
    }
}

#[test]
fn a_transaction_under_way_is_sent_again_byte_for_byte() {
    let (mut story, _) = submitted();
    let sent = story.pool.clone();
    story.pool.clear();
    story.pass(CHECKPOINT_MS);
    story.run();

    story.restart();
    let before = story.said.len();
    story.run();
    assert_eq!(story.pool, sent);
    assert_eq!(story.said[before..].iter().find_map(build), None, "nothing is built anew");
    assert_eq!(story.said[before..].iter().find_map(authorize), None);
}

#[test]
fn signatures_are_durable_before_a_transaction_is_built() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 100)]);
    let seq = story.mine(&[request(ALICE, 30)]);
    story.run_until(build);
    let kept = story.persisted().withdrawals;
    let authorization = kept.iter().find(|w| w.seq == seq).unwrap().authorization.clone();
    assert_eq!(authorization.unwrap().verdict, Verdict::Pay);
}

#[test]
fn a_payment_that_was_seen_but_not_posted_is_posted_after_a_restart() {
    let (mut story, seq) = submitted();
    story.mine_pool();
    let is_post =
        |c: &Command| create_transfers(c).filter(|(_, t)| matches!(t[0].phase, Phase::Post(_)));
    story.run_until(is_post);
    story.pass(CHECKPOINT_MS);
    story.apply(Event::Stop);
    assert_eq!(story.resolution(seq), None);

    story.restart();
    story.run();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Post(_)));
    assert_eq!(story.persisted().withdrawals, []);
    story.assert_well();
}

#[test]
fn a_replay_of_forgotten_withdrawals_audits_the_ledger() {
    let (mut story, paid) = submitted();
    story.mine_pool();
    story.run();
    let cancelled = story.mine_and_run(&[request(ALICE, 1)]);
    story.mine_and_run(&[ended(cancelled, Outcome::Cancelled)]);
    let before = story.ledger.history.clone();

    story.restart_with_nothing();
    story.run();
    assert_eq!(story.ledger.history, before);
    assert_eq!(story.bridge.withdrawals().count(), 0);
    assert!(matches!(story.resolution(paid).unwrap().phase, Phase::Post(_)));
    story.assert_well();
}

#[test]
fn a_ledger_that_tells_another_end_than_the_chain_halts() {
    let (mut story, seq) = submitted();
    story.mine_and_run(&[ended(seq, Outcome::Cancelled)]);
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Void(_)));

    story.chain.rewind(1);
    story.mine(&[ended(seq, Outcome::Paid)]);
    story.restart_with_nothing();
    story.run();
    story.assert_halted(|e| matches!(e, Evidence::WithdrawalDiffers { seq: s, .. } if s == seq));
}

#[test]
fn a_payment_of_what_the_ledger_voided_halts() {
    let (mut story, seq) = submitted();
    story.apply(Event::Stop);
    let yesterday = story.store.clone();
    story.mine_and_run(&[ended(seq, Outcome::Cancelled)]);

    story.chain.rewind(1);
    story.mine(&[ended(seq, Outcome::Paid)]);
    story.store = yesterday;
    story.restart();
    assert!(story.withdrawal(seq).is_some(), "still open in this store");
    story.run();
    story.assert_halted(|e| matches!(e, Evidence::WithdrawalDiffers { seq: s, .. } if s == seq));
}

#[test]
fn a_request_that_the_ledger_has_not_answered_is_never_kept() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let first = story.mine(&[request(ALICE, 30)]);
    let (_, verdict) = story.run_until(authorize);
    let second = story.mine(&[request(ALICE, 10)]);
    story.mine(&[Happening::Queued(second)]);
    story.run_until(create_transfers);
    let signatures = vec![Bytes::from_static(b"signature")];
    let event = PayoutEvent::Authorized { items: vec![signed(first, verdict)], signatures };
    story.apply(Event::Payout(event));
    let kept: Vec<_> = story.persisted().withdrawals.iter().map(|w| w.seq).collect();
    assert_eq!(kept, [first]);

    story.restart();
    story.run();
    assert_eq!(story.withdrawal(second).unwrap().reservation, Reservation::Reserved);
    assert!(story.withdrawal(second).unwrap().queued.is_some());
}

#[test]
fn an_end_without_a_request_is_audited() {
    for (outcome, halts) in [(Outcome::Refused, false), (Outcome::Paid, true)] {
        let mut story = Story::new();
        story.mine_and_run(&[ended_unseen(Seq(1), Origin::Request, outcome)]);
        assert_eq!(story.bridge.halted().is_some(), halts, "{outcome:?}");
    }
}

#[test]
fn yesterdays_store_is_as_good_as_todays() {
    let (mut story, seq) = submitted();
    story.pass(CHECKPOINT_MS);
    story.run();
    let yesterday = story.store.clone();
    story.mine_pool();
    story.run();
    let second = story.mine_and_run(&[request(ALICE, 70)]);
    story.mine_pool();
    story.run();
    let before = story.ledger.history.clone();

    story.store = yesterday;
    story.restart();
    story.run();
    story.run();
    assert_eq!(story.ledger.history, before);
    assert_eq!((story.withdrawal(seq), story.withdrawal(second)), (None, None));
    assert_eq!(story.pool.len(), 0, "nothing is sent for what has ended");
    story.assert_well();
}

#[test]
fn a_lost_store_finds_open_withdrawals_again() {
    let mut story = Story::new();
    story.config.submitter = None;
    story.restart();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let reserved = story.mine_and_run(&[request(ALICE, 30)]);
    let refused = story.mine_and_run(&[request(BOB, 30)]);
    let of =
        |story: &Story| [reserved, refused].map(|seq| story.withdrawal(seq).unwrap().reservation);
    let before = of(&story);
    assert!(matches!(before, [Reservation::Reserved, Reservation::Refused(_)]));

    story.restart_with_nothing();
    story.run();
    assert_eq!(of(&story), before);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 70);
    story.assert_well();
}

#[test]
fn an_expiry_is_not_forgotten_by_a_lost_store() {
    let (mut story, seq) = submitted();
    story.chain.mine_seconds(story.chain.deadline_in + 2 * BLOCK_SECONDS);
    story.run();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Void(_)));
    story.restart_with_nothing();
    story.run();
    story.mine_and_run(&[ended(seq, Outcome::Cancelled)]);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 100);
    story.assert_well();
}

#[test]
fn a_halt_survives_a_restart() {
    let mut story = Story::new();
    let seq = story.mine_and_run(&[request(ALICE, 6)]);
    story.mine_and_run(&[ended(seq, Outcome::Paid)]);
    assert!(story.bridge.halted().is_some());

    story.restart();
    let said = story.said.len();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    story.assert_halted(
        |e| matches!(e, Evidence::PaidWithoutReservation { seq: s, .. } if s == seq),
    );
    assert_eq!(story.said.len(), said);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 0);
}

#[test]
fn a_fresh_store_finds_the_contradiction_again_before_anything_is_signed() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(BOB, 50)]);
    let seq = story.mine_and_run(&[request(ALICE, 6)]);
    story.mine_and_run(&[ended(seq, Outcome::Paid), request(BOB, 1)]);
    story.restart_with_nothing();
    let before = story.said.len();
    story.run();
    assert!(story.bridge.halted().is_some());
    assert_eq!(story.said[before..].iter().find_map(authorize), None);
}

#[test]
fn another_vaults_store_is_refused() {
    let mut story = Story::new();
    story.apply(Event::Stop);
    let mut config = story.config.clone();
    config.identity.genesis = B256::repeat_byte(9);
    let theirs = story.config.identity.key();
    let ours = config.identity.key();
    assert_eq!(story.try_start(config).unwrap_err(), CannotStart::OtherInstance { ours, theirs });
}

#[test]
fn two_daemons_on_one_vault_do_everything_once() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let seq = story.mine_and_run(&[request(ALICE, 30)]);
    // The second starts on a store of its own, while the first has paid and posted.
    let first = std::mem::take(&mut story.store);
    story.restart();
    story.run();
    story.mine_and_run(&[ended(seq, Outcome::Paid)]);
    let posted = story.ledger.history.clone();

    story.store = first;
    story.restart();
    story.run();
    story.run();
    assert_eq!(story.ledger.history, posted);
    assert_eq!(story.withdrawal(seq), None);
    story.assert_well();
}

/// Bob asked for what he does not have, beyond the checkpoint; then the process dies and that block is
/// given up.
fn given_up() -> (Story, Seq) {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    story.pass(CHECKPOINT_MS);
    story.run();
    let checkpoint = story.store[&b"checkpoint"[..]].clone();
    let seq = story.mine_and_run(&[request(BOB, 30)]);
    let known = story.persisted().withdrawals;
    assert!(known.iter().any(|w| w.seq == seq), "signed and written down: {known:?}");
    story.store.insert(b"checkpoint".to_vec(), checkpoint);
    story.chain.rewind(1);
    story.chain.salt = 9;
    (story, seq)
}

#[test]
fn what_a_store_knows_is_held_against_what_is_under_its_number_now() {
    let (mut story, seq) = given_up();
    story.mine(&[deposit(BOB, 5)]);
    story.restart();
    story.run();
    assert_eq!(story.withdrawal(seq), None);
    assert_eq!(story.ledger.balance(USDX.ledger, BOB), 5);
    story.pass(CHECKPOINT_MS);
    story.run();
    assert!(story.persisted().withdrawals.is_empty());
}

#[test]
fn a_request_that_the_contract_does_not_know_is_dropped_once_it_is_past_its_deadline() {
    let (mut story, seq) = given_up();
    story.states.insert(seq, ContractState::None);
    story.mine(&[]);
    story.restart();
    story.run();
    assert!(story.withdrawal(seq).is_some(), "its event may still come again");
    story.chain.mine_seconds(1_000_000);
    for _ in 0..3 {
        story.run();
    }
    assert_eq!(story.withdrawal(seq), None);
}
