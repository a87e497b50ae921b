//! From a final deposit to a credit.

use crate::common::*;
use bridge_core::{
    account::NewAccount, amount::ScaleDivisor, asset::Listing, block::Seq, command::Notice,
    halt::Evidence, transfer::TransferCode,
};

#[test]
fn deposits_are_posted_in_the_order_of_their_numbers() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5), deposit(BOB, 7)]);
    story.mine(&[Happening::Deposit(ETHX, ALICE, 9)]);
    story.run();

    let amounts: Vec<_> = story.ledger.history.iter().map(|t| t.amount.0).collect();
    assert_eq!(amounts, [5, 7, 9]);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
    assert_eq!(story.ledger.balance(USDX.ledger, BOB), 7);
    assert_eq!(story.ledger.balance(ETHX.ledger, ALICE), 9);
    assert!(story.notices.contains(&Notice::DepositsPosted { count: 3, last: Seq(5) }));
    story.assert_well();
}

#[test]
fn accounts_are_awaited_before_the_transfers_on_them() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5)]);
    let create = story.run_until(ledger_command);
    assert!(matches!(create, bridge_core::command::LedgerCommand::CreateAccounts { .. }));
    assert!(story.orders.iter().all(|o| ledger_command(o).is_none()), "one request at a time");

    story.answer(bridge_core::command::Command::Ledger(create));
    assert!(story.orders.iter().any(|o| create_transfers(o).is_some()));
}

#[test]
fn deposits_and_the_recipients_request_in_the_next_block_go_in_one_batch() {
    let mut story = Story::new();
    story.mine(&[deposit(ALICE, 5), deposit(ALICE, 7)]);
    let asked = story.mine(&[request(ALICE, 12)]);

    let (_, batch) = story.run_until(create_transfers);
    let codes: Vec<_> = batch.iter().map(|t| t.code).collect();
    use TransferCode as C;
    assert_eq!(codes, [C::Deposit, C::Deposit, C::Gate, C::Withdrawal]);
    let linked: Vec<_> = batch.iter().map(|t| t.linked).collect();
    assert_eq!(linked, [false, false, true, false]);
    assert_eq!(batch[3].id, story.ids(asked).main);
}

#[test]
fn a_replay_finds_everything_and_changes_nothing() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5), deposit(BOB, 7)]);
    let before = story.ledger.history.clone();

    story.restart_with_nothing();
    story.run();
    assert_eq!(story.ledger.history, before);
    story.assert_well();
}

#[test]
fn a_deposit_seen_in_another_block_is_an_alarm_and_not_a_second_credit() {
    let mut story = Story::new();
    let seq = story.mine_and_run(&[deposit(ALICE, 5)]);

    story.chain.rewind(1);
    story.mine(&[deposit(ALICE, 5)]);
    story.restart_with_nothing();
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
    assert!(story.notices.contains(&Notice::DepositReincluded { seq }));
    story.assert_well();
}

#[test]
fn another_amount_or_owner_under_a_posted_number_halts() {
    for other in [deposit(ALICE, 6), deposit(BOB, 5)] {
        let mut story = Story::new();
        let seq = story.mine_and_run(&[deposit(ALICE, 5)]);

        story.chain.rewind(1);
        story.mine(&[other]);
        story.restart_with_nothing();
        story.run();
        story.assert_halted(|e| matches!(e, Evidence::DepositDiffers { seq: s, .. } if s == seq));
        assert_eq!(story.ledger.history.len(), 1);
    }
}

#[test]
fn a_credit_whose_account_belongs_to_another_address_goes_to_suspense() {
    let mut story = Story::new();
    let id = NewAccount::funds(USDX.ledger, ALICE).id;
    story.ledger.create_account(&NewAccount { id, ..NewAccount::funds(USDX.ledger, BOB) });

    story.mine_and_run(&[deposit(ALICE, 5)]);
    story.mine_and_run(&[deposit(ALICE, 7)]);
    assert_eq!(story.ledger.suspense(USDX.ledger), 12);
    assert!(story.ledger.history.iter().all(|t| t.code == TransferCode::DepositToSuspense));

    story.restart_with_nothing();
    story.run();
    assert_eq!(story.ledger.suspense(USDX.ledger), 12, "a replay decides the same");
    story.assert_well();
}

#[test]
fn a_blocked_ledger_holds_up_nobody_else_and_is_read_again_after_a_restart() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 1)]);
    // An operator closed the wrong account: deposits on it fail and their ids burn.
    let funds = NewAccount::funds(USDX.ledger, ALICE).id;
    story.ledger.close(funds);
    story.mine_and_run(&[deposit(ALICE, 5), Happening::Deposit(ETHX, BOB, 9)]);
    let later = story.mine_and_run(&[deposit(BOB, 7), Happening::Deposit(ETHX, BOB, 1)]);

    assert!(story.notices.contains(&Notice::LedgerBlocked { ledger: USDX.ledger }));
    assert_eq!(story.ledger.balance(ETHX.ledger, BOB), 10);
    assert!(!story.has_deposit(later.minus(1)), "nothing on a blocked ledger");
    let posted = |n: &Notice| matches!(n, Notice::DepositsPosted { count: 2.., .. });
    assert!(!story.notices.iter().any(posted), "what is blocked is not counted as posted");
    story.assert_well();

    story.ledger.reopen(funds);
    story.pass(CHECKPOINT_MS);
    story.run();
    story.restart();
    story.run();
    assert_eq!(story.ledger.balance(ETHX.ledger, BOB), 10);
    // The id of the failed deposit is burnt, so the ledger stays blocked; but it was tried again.
    assert_eq!(story.bridge.summary().blocked_ledgers, [USDX.ledger]);
}

#[test]
fn a_request_behind_a_deposit_that_blocked_its_ledger_is_not_sent() {
    let mut story = Story::new();
    story.config.batch_max = 2;
    story.restart();
    story.mine_and_run(&[deposit(ALICE, 1)]);
    story.ledger.close(NewAccount::funds(USDX.ledger, ALICE).id);

    let asked = story.mine_and_run(&[deposit(ALICE, 5), deposit(BOB, 1), request(BOB, 9)]);
    assert_eq!(story.withdrawal(asked), None, "it is read again once the ledger can serve it");
    let burnt = story.transfers_said_since(0).iter().any(|t| t.id == story.ids(asked).main);
    assert!(!burnt, "its id must not burn");
}

#[test]
fn nothing_is_credited_on_a_listing_that_contradicts_the_registry() {
    let mut story = Story::unlisted();
    // Another vault on the same ledger registered this number for its own token.
    let divisor = ScaleDivisor::new(3).unwrap();
    let theirs = Listing { divisor, ..USDX.listing() };
    story.ledger.create_account(&NewAccount::ledger_registry(CHAIN_ID, &theirs));

    let listed = [Happening::Listed(USDX), Happening::Listed(ETHX)];
    story.mine(&listed);
    story.mine(&[deposit(ALICE, 5), Happening::Deposit(ETHX, ALICE, 9), request(ALICE, 5)]);
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 0);
    assert_eq!(story.ledger.balance(ETHX.ledger, ALICE), 9);
    assert!(story.ledger.history.iter().all(|t| t.ledger == ETHX.ledger));
    assert!(story.notices.contains(&Notice::LedgerBlocked { ledger: USDX.ledger }));
    story.assert_well();
    assert!(story.persisted().listings.iter().all(|l| l.ledger == ETHX.ledger));
}
