//! From a final request to its end in the ledger.

use crate::common::*;
use bridge_core::{
    account::NewAccount,
    block::Seq,
    command::{ChainCommand, Command, LedgerCommand, Notice},
    event::ContractState,
    halt::Evidence,
    transfer::{Phase, TransferResult},
    vault_event::{Origin, Outcome},
    withdrawal::{RefusalReason, Reservation, Status, Verdict},
};

/// Alice has 100 and asked for 30; nothing is signed yet.
fn asked() -> (Story, Seq) {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let seq = story.mine(&[request(ALICE, 30)]);
    (story, seq)
}

fn times_looked_up(story: &Story, seq: Seq) -> usize {
    let main = story.ids(seq).main;
    let ids = |c| match c {
        LedgerCommand::LookupTransfers { ids, .. } => ids,
        LedgerCommand::CreateAccounts { .. }
        | LedgerCommand::CreateTransfers { .. }
        | LedgerCommand::Recover { .. }
        | LedgerCommand::Survey { .. } => Vec::new(),
    };
    let said = story.said.iter().filter_map(lookup);
    said.flat_map(ids).filter(|id| *id == main).count()
}

#[test]
fn a_request_is_reserved_confirmed_signed_paid_and_posted() {
    let (mut story, seq) = asked();
    let verdict = story.run_until(authorize);
    assert_eq!(verdict, (seq, Verdict::Pay));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 70, "set aside before anybody signs");
    let looked_up = story.said.iter().rev().find_map(lookup).unwrap();
    let [main, resolve] = [story.ids(seq).main, story.ids(seq).resolve];
    assert!(matches!(looked_up, bridge_core::command::LedgerCommand::LookupTransfers { ids, .. }
        if ids == [main, resolve]));

    story.restart();
    story.run();
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Submitted);
    story.mine_pool();
    story.run();
    let post = story.resolution(seq).unwrap();
    assert_eq!(post.phase, Phase::Post(main));
    assert_eq!(post.amount.0, 30, "exactly the pending's amount");
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 70);
    assert_eq!(story.withdrawal(seq), None);
    let settled = Notice::WithdrawalSettled { seq, outcome: Outcome::Paid };
    assert!(story.notices.contains(&settled));
    story.assert_well();
}

#[test]
fn a_deferred_payout_is_a_payout() {
    let (mut story, seq) = asked();
    story.run();
    story.mine_and_run(&[ended(seq, Outcome::Deferred)]);
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Post(_)));
    story.assert_well();
}

#[test]
fn what_was_refused_or_cancelled_on_chain_is_voided() {
    for outcome in [Outcome::Refused, Outcome::Cancelled] {
        let (mut story, seq) = asked();
        story.run();
        story.mine_and_run(&[ended(seq, outcome)]);
        let void = story.resolution(seq).unwrap();
        assert_eq!((void.phase, void.amount.0), (Phase::Void(story.ids(seq).main), 0));
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 100);
        story.assert_well();
    }
}

#[test]
fn without_funds_a_refusal_is_signed_and_submitted() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let seq = story.mine(&[request(ALICE, 6)]);
    story.run();
    let reason = RefusalReason::InsufficientFunds;
    assert!(story.notices.contains(&Notice::WithdrawalRefused { seq, reason }));
    assert_eq!(story.said.iter().find_map(authorize), Some((seq, Verdict::Refuse(reason))));
    assert_eq!(story.pool.len(), 1);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);

    story.mine_pool();
    story.run();
    assert_eq!(story.withdrawal(seq), None);
    assert_eq!(story.resolution(seq), None, "there is nothing to void");
    story.assert_well();
}

#[test]
fn a_refusal_is_final_even_if_money_comes_later() {
    let mut story = Story::new();
    let seq = story.mine_and_run(&[request(ALICE, 6)]);
    story.mine_and_run(&[deposit(ALICE, 100)]);
    story.restart_with_nothing();
    story.run();
    let refused = Reservation::Refused(RefusalReason::InsufficientFunds);
    assert_eq!(story.withdrawal(seq).unwrap().reservation, refused);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 100);
}

#[test]
fn a_frozen_owner_is_refused_and_nobody_else() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 10), deposit(BOB, 10)]);
    story.ledger.freeze(ALICE);
    let seq = story.mine_and_run(&[request(ALICE, 1), request(BOB, 1)]);
    let of = |story: &Story, seq| story.withdrawal(seq).unwrap().reservation;
    assert_eq!(of(&story, seq.minus(1)), Reservation::Refused(RefusalReason::AccountFrozen));
    assert_eq!(of(&story, seq), Reservation::Reserved);
    story.mine_and_run(&[deposit(ALICE, 5)]);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 15, "deposits still arrive");
    story.assert_well();
}

#[test]
fn an_owner_whose_account_belongs_to_another_address_is_refused() {
    let mut story = Story::new();
    let id = NewAccount::funds(USDX.ledger, ALICE).id;
    story.ledger.create_account(&NewAccount { id, ..NewAccount::funds(USDX.ledger, BOB) });
    let seq = story.mine_and_run(&[deposit(ALICE, 5), request(ALICE, 5)]);
    let refused = Reservation::Refused(RefusalReason::AddressMismatch);
    assert_eq!(story.withdrawal(seq).unwrap().reservation, refused);
    assert_eq!(story.ledger.history.len(), 1, "nothing is taken from the other address");
}

#[test]
fn an_absurd_amount_is_a_refusal_and_blocks_nobody() {
    let mut story = Story::new();
    story.mine_and_run(&[Happening::Deposit(ETHX, ALICE, 10), Happening::Deposit(ETHX, BOB, 10)]);
    let paid = story.mine_and_run(&[Happening::Request(ETHX, ALICE, 1)]);
    story.mine_pool();
    story.run();
    assert!(story.resolution(paid).is_some());

    // Together with what moved already, this amount does not even fit into 128 bits.
    let seq = story.mine_and_run(&[Happening::Request(ETHX, ALICE, u128::MAX)]);
    let refused = Reservation::Refused(RefusalReason::InsufficientFunds);
    assert_eq!(story.withdrawal(seq).unwrap().reservation, refused);
    let next = story.mine_and_run(&[Happening::Request(ETHX, BOB, 10)]);
    assert_eq!(story.withdrawal(next).unwrap().reservation, Reservation::Reserved);
    assert_eq!(story.bridge.summary().blocked_ledgers, []);
}

#[test]
fn every_overflow_of_a_reservation_is_a_refusal() {
    use TransferResult as R;
    use bridge_core::posting::{ReservationVerdict, read_reservation};
    for overflow in [
        R::OverflowsDebitsPending,
        R::OverflowsCreditsPending,
        R::OverflowsDebitsPosted,
        R::OverflowsCreditsPosted,
        R::OverflowsDebits,
        R::OverflowsCredits,
    ] {
        let refused = ReservationVerdict::Refused(RefusalReason::InsufficientFunds);
        assert_eq!(read_reservation(R::LinkedEventFailed, None, overflow), refused);
        let fee = Some(overflow);
        let of_fee = read_reservation(R::LinkedEventFailed, fee, R::LinkedEventFailed);
        assert_eq!(of_fee, refused);
    }
}

#[test]
fn money_freed_by_a_cancellation_serves_a_later_request_of_the_same_range() {
    let (mut story, first) = asked();
    story.run();
    // All in one block: the cancellation comes first, so the money is there.
    let second = story.mine_and_run(&[ended(first, Outcome::Cancelled), request(ALICE, 100)]);
    assert_eq!(story.withdrawal(second).unwrap().reservation, Reservation::Reserved);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 0);
    story.assert_well();
}

#[test]
fn a_backfill_gives_the_same_answers_as_living_through_it() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 100)]);
    let first = story.mine(&[request(ALICE, 80)]);
    let poor = story.mine(&[request(BOB, 1)]);
    story.mine(&[ended(poor, Outcome::Refused), ended(first, Outcome::Cancelled)]);
    let second = story.mine(&[request(ALICE, 90)]);
    story.mine(&[ended(second, Outcome::Paid)]);
    story.run();
    assert!(matches!(story.resolution(first).unwrap().phase, Phase::Void(_)));
    assert!(matches!(story.resolution(second).unwrap().phase, Phase::Post(_)));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 10);
    assert_eq!(story.bridge.withdrawals().count(), 0);
    let settled = |seq| {
        let of = |n: &&Notice| matches!(n, Notice::WithdrawalSettled { seq: s, .. } if *s == seq);
        story.notices.iter().filter(of).count()
    };
    assert_eq!((settled(first), settled(second)), (1, 1));
    let looked_up = |seq| times_looked_up(&story, seq);
    assert_eq!((looked_up(first), looked_up(second)), (1, 1), "one post or void is enough");
    story.assert_well();
}

#[test]
fn a_cancellation_may_come_while_its_pending_is_being_confirmed() {
    let (mut story, seq) = asked();
    let question = story.run_until(lookup);
    story.mine(&[ended(seq, Outcome::Cancelled)]);
    story.pass(POLL_MS);
    story.apply(bridge_core::event::Event::Tick);
    assert_eq!(story.answer_until(ledger_command), None);

    story.answer(Command::Ledger(question));
    story.answer_all();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Void(_)));
    assert_eq!(story.said.iter().find_map(authorize), None, "nobody is asked to sign");
    assert_eq!(times_looked_up(&story, seq), 2, "confirmed, then voided once");
    story.assert_well();
}

#[test]
fn a_cancellation_may_come_while_a_refusal_is_being_confirmed() {
    let mut story = Story::new();
    let seq = story.mine(&[request(ALICE, 30)]);
    let question = story.run_until(lookup);
    story.mine(&[ended(seq, Outcome::Cancelled)]);
    story.pass(POLL_MS);
    story.apply(bridge_core::event::Event::Tick);
    assert_eq!(story.answer_until(ledger_command), None);

    story.answer(Command::Ledger(question));
    story.answer_all();
    assert_eq!(story.withdrawal(seq), None, "nobody would look at it again");
    story.assert_well();
}

#[test]
fn only_the_state_at_a_final_block_past_the_deadline_expires_a_withdrawal() {
    let (mut story, seq) = asked();
    story.run();
    story.chain.mine_seconds(story.chain.deadline_in - BLOCK_SECONDS);
    story.pass(10 * 3_600_000);
    story.run();
    assert!(story.said.iter().all(|c| read_state(c).is_none()), "our own clock says nothing");

    story.mine(&[]);
    story.mine(&[]);
    let (asked, block) = story.run_until(read_state);
    assert_eq!((asked, block), (seq, story.chain.tip().block));
    assert_eq!(story.resolution(seq), None);
    for state in [None, Some(ContractState::PaidOrDeferred), Some(ContractState::None)] {
        story.apply(bridge_core::event::Event::State {
            endpoint: FIRST,
            seq,
            block: block.number,
            state,
        });
        assert_eq!(story.resolution(seq), None, "{state:?} is asked about again");
        story.pass(BACKOFF_MS);
        assert_eq!(story.run_until(read_state).0, seq);
    }
    let state = Some(ContractState::Requested);
    story.apply(bridge_core::event::Event::State {
        endpoint: FIRST,
        seq,
        block: block.number,
        state,
    });
    story.answer_all();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Void(_)));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 100);
    assert_eq!(story.withdrawal(seq), None);
    story.assert_well();
}

#[test]
fn a_refusal_that_nobody_wrote_on_chain_is_forgotten_after_the_deadline() {
    let mut story = Story::new();
    story.config.submitter = None;
    story.restart();
    let seq = story.mine_and_run(&[request(ALICE, 6)]);
    assert!(story.withdrawal(seq).is_some());
    story.chain.mine_seconds(story.chain.deadline_in + 2 * BLOCK_SECONDS);
    story.run();
    assert_eq!(story.withdrawal(seq), None);
    story.assert_well();
}

#[test]
fn a_queued_payout_waits_and_does_not_expire() {
    let (mut story, seq) = asked();
    story.run();
    story.mine_and_run(&[Happening::Queued(seq)]);
    story.chain.mine_seconds(story.chain.deadline_in + 2 * BLOCK_SECONDS);
    story.run();
    assert!(story.said.iter().all(|c| read_state(c).is_none()));
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Queued);
    story.mine_and_run(&[ended(seq, Outcome::Paid)]);
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Post(_)));
    story.assert_well();
}

#[test]
fn many_queued_payouts_do_not_hold_up_a_small_one() {
    let mut story = Story::new();
    story.config.submitter = None;
    story.restart();
    story.mine_and_run(&[deposit(ALICE, 10_000)]);
    for _ in 0..300 {
        let seq = story.mine(&[request(ALICE, 1)]);
        story.mine(&[Happening::Queued(seq)]);
    }
    story.run();
    story.config.submitter = Story::new().config.submitter;
    story.pass(CHECKPOINT_MS);
    story.run();
    story.restart();
    let small = story.mine_and_run(&[request(ALICE, 1)]);
    assert_eq!(story.said.iter().find_map(authorize), Some((small, Verdict::Pay)));
}

#[test]
fn many_open_withdrawals_do_not_stop_the_bridge() {
    let mut story = Story::new();
    story.config.open_withdrawals_max = 3;
    story.restart();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    for _ in 0..8 {
        story.mine(&[request(ALICE, 1)]);
    }
    for _ in 0..30 {
        story.run();
        story.mine_pool();
    }
    story.run();
    assert_eq!(story.bridge.withdrawals().count(), 0, "all are paid");
    story.assert_well();
}

#[test]
fn paid_without_a_reservation_halts() {
    let mut story = Story::new();
    let seq = story.mine_and_run(&[request(ALICE, 6)]);
    story.mine(&[ended(seq, Outcome::Paid)]);
    let range = story.run_until(|c| match c {
        Command::Chain(ChainCommand::FetchRange(_)) => Some(c.clone()),
        Command::Chain(_) | Command::Ledger(_) | Command::Payout(_) => None,
    });
    // A poll is due in the very step that halts.
    story.pass(POLL_MS);
    story.answer(range);
    story.assert_halted(
        |e| matches!(e, Evidence::PaidWithoutReservation { seq: s, .. } if s == seq),
    );
    let said = story.said.len();
    story.mine_and_run(&[deposit(ALICE, 6)]);
    assert_eq!(story.said.len(), said, "after a halt nothing is ordered any more");
}

#[test]
fn a_gasless_payout_that_nobody_reserved_halts() {
    let mut story = Story::new();
    let unseen = |outcome| ended_unseen(Seq(77), Origin::Intent, outcome);
    story.mine_and_run(&[unseen(Outcome::Refused)]);
    story.assert_well();
    story.mine(&[unseen(Outcome::Paid)]);
    for _ in 0..20 {
        story.run();
        story.pass(10_000);
    }
    story.assert_halted(|e| matches!(e, Evidence::PaidWithoutReservation { .. }));
}

#[test]
fn two_ends_that_exclude_each_other_halt() {
    for [one, other] in [[Outcome::Cancelled, Outcome::Paid], [Outcome::Paid, Outcome::Refused]] {
        let (mut story, seq) = asked();
        story.run();
        story.mine_and_run(&[ended(seq, one), ended(seq, other)]);
        story
            .assert_halted(|e| matches!(e, Evidence::WithdrawalDiffers { seq: s, .. } if s == seq));
    }
}

#[test]
fn paid_after_it_was_declared_dead_halts() {
    let (mut story, seq) = asked();
    story.run();
    story.chain.mine_seconds(story.chain.deadline_in + 2 * BLOCK_SECONDS);
    story.run();
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Void(_)));
    story.mine_and_run(&[ended(seq, Outcome::Paid)]);
    story.assert_halted(|e| matches!(e, Evidence::WithdrawalDiffers { seq: s, .. } if s == seq));
}

#[test]
fn a_ledger_that_lost_a_reservation_halts_before_anybody_signs() {
    let (mut story, seq) = asked();
    let before = story.ledger.clone();
    let question = story.run_until(lookup);
    // Restored from an older state, between the reservation and the signature.
    story.ledger = before;
    story.answer(Command::Ledger(question));
    story.answer_all();
    story.assert_halted(|e| matches!(e, Evidence::WithdrawalDiffers { seq: s, .. } if s == seq));
    assert_eq!(story.said.iter().find_map(authorize), None);
}

#[test]
fn nobody_is_asked_to_sign_while_events_are_still_unread() {
    let (mut story, seq) = asked();
    story.config.range_blocks_max = 1;
    story.restart();
    story.mine(&[ended(seq, Outcome::Paid)]);
    let tip = story.chain.tip().block.number;
    let last = story.run_until(|c| fetch(c).filter(|r| r.from == tip));
    story.answer_all();
    assert_eq!(story.withdrawal(seq).unwrap().status(), Status::Reserved);
    assert_eq!(story.said.iter().find_map(authorize), None);

    story.answer(Command::Chain(ChainCommand::FetchRange(last)));
    story.answer_all();
    assert_eq!(story.said.iter().find_map(authorize), None);
    assert!(matches!(story.resolution(seq).unwrap().phase, Phase::Post(_)));
    story.assert_well();
}
