//! What the ledger may do to us: small limits, lost replies, late execution, long silence.

use crate::common::*;
use bridge_core::{
    block::Seq,
    command::{Command, LedgerCommand},
    event::{Event, LedgerEvent},
};

#[test]
fn a_batch_that_is_too_large_is_split_without_cutting_a_chain() {
    let mut story = Story::new();
    story.ledger.limit = 5;
    let mut block = vec![deposit(ALICE, 100)];
    block.extend([request(ALICE, 1); 9]);
    story.mine_and_run(&block);

    assert_eq!(story.bridge.withdrawals().count(), 9);
    for command in story.said.iter().filter_map(create_transfers) {
        assert!(command.1.last().is_some_and(|t| !t.linked), "a chain was cut: {command:?}");
    }
    assert!(story.bridge.summary().batch_max <= 5);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 91);
    story.assert_well();
}

#[test]
fn an_unknown_outcome_is_asked_again_with_the_same_ids() {
    for executed in [false, true] {
        let mut story = Story::new();
        story.mine(&[deposit(ALICE, 5), request(ALICE, 3)]);
        let (first, batch) = story.run_until(create_transfers);
        if executed {
            story.ledger.execute(&LedgerCommand::CreateTransfers {
                request: first,
                transfers: batch.clone(),
            });
        }
        story.apply(unknown(first));
        assert!(story.orders.iter().all(|o| ledger_command(o).is_none()), "not without a pause");

        let (second, again) = story.run_until(create_transfers);
        assert_ne!(first, second);
        assert_eq!(again, batch);
        // Only now does the first request execute; its reply comes for nobody.
        let late = story
            .ledger
            .execute(&LedgerCommand::CreateTransfers { request: first, transfers: batch });
        let transfers = again;
        story.apply(Event::Ledger(late));
        story
            .answer(Command::Ledger(LedgerCommand::CreateTransfers { request: second, transfers }));
        story.answer_all();
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 2);
        story.assert_well();
    }
}

#[test]
fn a_reply_that_was_only_late_is_not_followed_by_a_second_question() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let accounts = story.run_until(ledger_command);
    let LedgerCommand::CreateAccounts { request, .. } = &accounts else { panic!("{accounts:?}") };
    story.apply(unknown(*request));
    let reply = story.ledger.execute(&accounts);
    story.apply(Event::Ledger(reply));
    assert_eq!(story.orders.iter().filter_map(create_transfers).count(), 1);

    story.pass(60_000);
    story.apply(Event::Tick);
    let asked = story.orders.iter().filter_map(create_transfers).count();
    assert_eq!(asked, 1, "one request in flight");
}

#[test]
fn while_the_ledger_is_silent_one_request_waits_and_the_rest_queues() {
    let mut story = Story::new();
    story.config.queue_max = 20;
    story.restart();
    story.mine(&[deposit(ALICE, 5)]);
    let stuck = story.run_until(ledger_command);
    for _ in 0..100 {
        story.mine(&[deposit(BOB, 1)]);
        story.pass(POLL_MS);
        story.apply(Event::Tick);
        assert_eq!(story.answer_until(ledger_command), None);
    }
    assert!(story.bridge.summary().queued_operations < 40, "the queue has a bound");
    assert!(!story.bridge.is_up_to_date());

    story.answer(Command::Ledger(stuck));
    story.answer_all();
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, BOB), 100);
    story.assert_well();
}

#[test]
fn an_answer_to_nobodys_question_is_ignored() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let (request, transfers) = story.run_until(create_transfers);
    let stranger = bridge_core::command::RequestId(request.0 + 77);
    story.apply(Event::Ledger(LedgerEvent::Transfers { request: stranger, failures: Vec::new() }));
    story.apply(Event::Ledger(LedgerEvent::Found { request: stranger, transfers: Vec::new() }));
    story.apply(Event::Ledger(LedgerEvent::TooMuch { request: stranger, events: 1 }));
    assert!(!story.bridge.is_up_to_date());
    assert_eq!(story.bridge.summary().acknowledged.next_seq, Seq(3));

    story.answer(Command::Ledger(LedgerCommand::CreateTransfers { request, transfers }));
    story.answer_all();
    story.assert_well();
}
