//! Proof of reserves: nothing is signed before chain and ledger add up, and what breaks stops its
//! own token at once.

use crate::common::*;
use bridge_core::{
    account::{NewAccount, SUSPENSE, VAULT},
    amount::LedgerAmount,
    block::Seq,
    command::{ChainCommand, Command, LedgerCommand, Notice, RequestId},
    endpoint::{EndpointId, EndpointsConfig, ReadFault, Reason},
    event::Event,
    halt::Evidence,
    id::{AccountId, TransferId},
    reserves::{Equation, Proof, ReservesConfig, TokenReserves},
    transfer::{NewTransfer, Phase, TransferCode},
    withdrawal::Verdict,
};

const BREAKS: u32 = 3;

/// Both tokens listed, reserves proved at every poll.
fn proving() -> Story {
    let mut story = Story::new();
    story.config.reserves =
        Some(ReservesConfig { interval_ms: 1, breaks_max: BREAKS, early_blocks_max: 2 });
    story.restart();
    story.run();
    story
}

fn shown(story: &Story, token: Token) -> TokenReserves {
    let all = story.bridge.summary().reserves;
    all.into_iter().find(|t| t.ledger == token.ledger).unwrap()
}

/// A transfer that nobody can explain, as somebody with access to the ledger would make it.
fn forged(story: &mut Story, debit: AccountId, credit: AccountId, amount: u128) {
    let transfer = NewTransfer {
        id: TransferId(0x06 << 120 | u128::from(story.ledger.history.len() as u32)),
        debit,
        credit,
        amount: LedgerAmount(amount),
        ledger: USDX.ledger,
        code: TransferCode::Loss,
        phase: Phase::Direct,
        linked: false,
        user_data_128: 0,
        user_data_64: 0,
        user_data_32: 0,
    };
    let request = RequestId(0);
    story.ledger.execute(&LedgerCommand::CreateTransfers { request, transfers: vec![transfer] });
}

fn vault(story: &Story) -> AccountId {
    AccountId::vault_chart(USDX.ledger, story.instance(), VAULT.number)
}

fn authorized(story: &Story, since: usize) -> Vec<Seq> {
    let said = story.said[since..].iter().flat_map(asked);
    said.filter(|(_, verdict)| *verdict == Verdict::Pay).map(|(seq, _)| seq).collect()
}

#[test]
fn nothing_is_signed_before_the_first_proof() {
    let mut story = proving();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    story.restart();
    let before = story.said.len();
    let seq = story.mine(&[request(ALICE, 30)]);
    let holdings = |c: &Command| match c {
        Command::Chain(ChainCommand::ReadHoldings { .. }) => Some(c.clone()),
        Command::Chain(_) | Command::Ledger(_) | Command::Payout(_) => None,
    };
    let order = story.run_until(holdings);
    for _ in 0..3 {
        story.run();
    }
    assert_eq!(shown(&story, USDX).proof, Proof::Unknown);
    assert_eq!(authorized(&story, before), []);
    story.answer(order);
    story.run();
    assert_eq!(shown(&story, USDX).proof, Proof::Proved);
    assert_eq!(authorized(&story, before), [seq]);
}

#[test]
fn what_is_shown_is_both_sides_at_one_block() {
    let mut story = proving();
    story.mine_and_run(&[deposit(ALICE, 100), Happening::Deposit(ETHX, BOB, 7)]);
    story.run();
    let token = shown(&story, USDX);
    assert_eq!(token.holdings.accounted.0, 100 * USDX.divisor);
    assert_eq!(token.explained, Some(token.holdings.accounted));
    assert_eq!(token.block, Some(story.chain.tip().block.number));
    assert_eq!(token.seq, Seq(4));
    assert!(token.books.unwrap().are_balanced());
    assert_eq!(shown(&story, ETHX).holdings.accounted.0, 7);
}

#[test]
fn missing_money_stops_its_token_at_once_and_no_other_and_never_halts() {
    let mut story = proving();
    story.mine_and_run(&[deposit(ALICE, 100), Happening::Deposit(ETHX, BOB, 7)]);
    story.stolen.insert(USDX.ledger, 1);
    story.run();
    let before = story.said.len();
    let stopped = story.mine_and_run(&[request(ALICE, 30)]);
    let free = story.mine_and_run(&[Happening::Request(ETHX, BOB, 2)]);
    for _ in 0..3 * BREAKS {
        story.mine_and_run(&[]);
    }
    assert_eq!(shown(&story, USDX).broken.unwrap().equation, Equation::Backing);
    assert_eq!(authorized(&story, before), [free], "a token that takes fees stops only itself");
    assert_eq!(story.bridge.halted(), None);
    let told = |n: &&Notice| matches!(n, Notice::ReservesBroken(_));
    assert_eq!(story.notices.iter().filter(told).count(), 1, "told once");

    story.stolen.clear();
    story.run();
    story.run();
    assert!(story.notices.contains(&Notice::ReservesMended { ledger: USDX.ledger }));
    assert_eq!(authorized(&story, before), [free, stopped]);
}

#[test]
fn a_credit_that_no_deposit_explains_stops_its_token_and_halts_when_it_persists() {
    let mut story = proving();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let (vault, alice) = (vault(&story), NewAccount::funds(USDX.ledger, ALICE).id);
    forged(&mut story, vault, alice, 5);
    story.run();
    let before = story.said.len();
    for _ in 0..3 * BREAKS {
        story.run();
    }
    assert_eq!(shown(&story, USDX).breaks, 1, "one block counts once, however often it is read");
    story.mine_and_run(&[request(ALICE, 105)]);
    story.run();
    assert_eq!(story.bridge.halted(), None);
    story.mine_and_run(&[]);
    story.run();
    story.assert_halted(|e| {
        matches!(e, Evidence::ReservesBroken(b) if b.equation == Equation::Solvency
            && b.left.0 == 100 * USDX.divisor && b.right.0 == 105 * USDX.divisor)
    });
    assert_eq!(authorized(&story, before), []);
}

#[test]
fn a_ledger_whose_sums_differ_halts_when_it_persists() {
    let mut story = proving();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    story.ledger.unbooked = 1;
    for _ in 0..BREAKS {
        assert_eq!(story.bridge.halted(), None);
        story.mine_and_run(&[]);
        story.run();
    }
    story.assert_halted(
        |e| matches!(e, Evidence::ReservesBroken(b) if b.equation == Equation::Ledger),
    );
}

#[test]
fn a_move_between_debtors_is_no_break() {
    let mut story = proving();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    let suspense = AccountId::chart(USDX.ledger, SUSPENSE.number);
    forged(&mut story, NewAccount::funds(USDX.ledger, ALICE).id, suspense, 5);
    for _ in 0..BREAKS {
        story.mine_and_run(&[]);
        story.run();
    }
    assert_eq!(shown(&story, USDX).proof, Proof::Proved);
}

#[test]
fn a_ledger_ahead_of_the_chain_waits_and_breaks_only_after_long() {
    let mut story = proving();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    // Another daemon with a quicker node has taken in a deposit that is not final here yet.
    let mut quicker = story.chain.clone();
    let seq = quicker.mine(&[deposit(BOB, 8)]);
    let request = RequestId(0);
    let funds = NewAccount::funds(USDX.ledger, BOB);
    story.ledger.execute(&LedgerCommand::CreateAccounts { request, accounts: vec![funds] });
    let early = NewTransfer {
        id: TransferId::chain_event(story.instance(), bridge_core::id::Kind::Deposit, seq),
        debit: vault(&story),
        credit: funds.id,
        amount: LedgerAmount(8),
        ledger: USDX.ledger,
        code: TransferCode::Deposit,
        phase: Phase::Direct,
        linked: false,
        user_data_128: 0,
        user_data_64: 0,
        user_data_32: 0,
    };
    story.ledger.execute(&LedgerCommand::CreateTransfers { request, transfers: vec![early] });
    story.run();
    assert_eq!(shown(&story, USDX).proof, Proof::Early);
    assert_eq!(story.bridge.halted(), None);
    for _ in 0..2 {
        story.mine_and_run(&[]);
        story.run();
        assert_eq!(shown(&story, USDX).proof, Proof::Early);
    }
    for _ in 0..BREAKS {
        story.mine_and_run(&[]);
        story.run();
    }
    story.assert_halted(|e| matches!(e, Evidence::ReservesBroken(_)));
}

/// Some seconds in which these endpoints tell of one unit too many, and the others the truth.
fn run_with_liars(story: &mut Story, liars: &[EndpointId]) {
    story.pass(POLL_MS);
    story.apply(Event::Tick);
    while let Some(order) = story.orders.pop_front() {
        let Command::Chain(ChainCommand::ReadHoldings { endpoint, block, ref tokens }) = order
        else {
            story.answer(order);
            continue;
        };
        let mut readings = story.holdings(tokens);
        if liars.contains(&endpoint) {
            readings.iter_mut().for_each(|r| r.holdings.accounted.0 += 1);
        }
        story.apply(Event::Holdings { endpoint, block, readings, fault: None });
    }
}

#[test]
fn a_token_that_cannot_be_read_stops_alone_and_nobody_is_set_aside_for_it() {
    let mut story = proving();
    for fault in [None, Some(ReadFault::Timeout)] {
        story.pass(POLL_MS);
        story.apply(Event::Tick);
        while let Some(order) = story.orders.pop_front() {
            let Command::Chain(ChainCommand::ReadHoldings { endpoint, block, ref tokens }) = order
            else {
                story.answer(order);
                continue;
            };
            let mut readings = story.holdings(tokens);
            readings.retain(|r| r.ledger != USDX.ledger);
            story.apply(Event::Holdings { endpoint, block, readings, fault });
        }
        assert_eq!(shown(&story, USDX).proof, Proof::Unknown);
        let aside = story.bridge.summary().endpoints.iter().any(|e| e.set_aside.is_some());
        assert_eq!(aside, fault.is_some(), "{fault:?}");
    }
}

#[test]
fn one_endpoint_that_lies_about_holdings_is_set_aside_and_neither_stops_nor_halts() {
    for (count, quorum) in [(2, 1), (3, 2)] {
        let mut story = proving();
        story.config.endpoints = EndpointsConfig { count, quorum, ..EndpointsConfig::default() };
        story.restart();
        story.mine(&[deposit(ALICE, 100)]);
        for _ in 0..3 * BREAKS {
            run_with_liars(&mut story, &[FIRST]);
            story.mine(&[]);
        }
        assert_eq!(shown(&story, USDX).proof, Proof::Proved, "{count} endpoints");
        let told = |n: &Notice| {
            let disagrees = |reason: &Reason| matches!(reason, Reason::Disagrees { .. });
            matches!(n, Notice::EndpointSetAside { endpoint: FIRST, reason } if disagrees(reason))
        };
        assert!(story.notices.iter().any(told), "{count} endpoints: {:?}", story.notices);
        assert!(!story.notices.iter().any(|n| matches!(n, Notice::ReservesBroken(_))));
    }
}

#[test]
fn what_all_endpoints_say_halts_and_what_they_disagree_on_stops_signing_alone() {
    let (second, third) = (EndpointId(1), EndpointId(2));
    let mut story = proving();
    story.config.endpoints = EndpointsConfig { count: 3, quorum: 3, ..EndpointsConfig::default() };
    story.restart();
    story.mine(&[deposit(ALICE, 100)]);
    for _ in 0..3 {
        run_with_liars(&mut story, &[]);
    }
    assert_eq!(shown(&story, USDX).proof, Proof::Proved);
    for _ in 0..3 * BREAKS {
        story.mine(&[]);
        run_with_liars(&mut story, &[FIRST]);
    }
    assert_eq!(shown(&story, USDX).proof, Proof::Unknown);
    assert_eq!(story.bridge.halted(), None);
    for _ in 0..2 * BREAKS {
        story.mine(&[]);
        run_with_liars(&mut story, &[FIRST, second, third]);
    }
    story.assert_halted(|e| matches!(e, Evidence::ReservesBroken(_)));
}
