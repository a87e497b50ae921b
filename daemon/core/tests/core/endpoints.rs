//! Several endpoints, some of which fail, lag or lie, in front of the whole core.

use crate::common::*;
use alloy_primitives::B256;
use bridge_core::{
    amount::TokenAmount,
    block::{BlockNumber, Seq},
    command::{ChainCommand, Command},
    endpoint::{EndpointId, EndpointsConfig, ReadFault, Reason},
    event::Event,
    halt::Evidence,
    vault_event::VaultEvent,
};

const SECOND: EndpointId = EndpointId(1);
const THIRD: EndpointId = EndpointId(2);

fn story(count: u8, quorum: u8) -> Story {
    let mut story = Story::unlisted();
    story.config.endpoints =
        EndpointsConfig { count, quorum, lag_max_ms: 5_000, set_aside_longest_ms: 4_000 };
    story.restart();
    story.mine_and_run(&[Happening::Listed(ETHX), Happening::Listed(USDX)]);
    story
}

fn whom(order: &Command) -> Option<EndpointId> {
    let Command::Chain(order) = order else { return None };
    Some(match order {
        ChainCommand::Poll { endpoint, .. }
        | ChainCommand::ReadState { endpoint, .. }
        | ChainCommand::ReadHoldings { endpoint, .. } => *endpoint,
        ChainCommand::FetchRange(request) => request.endpoint,
    })
}

/// What an honest node answers.
fn honest(story: &Story, order: &Command) -> Event {
    match order {
        Command::Chain(ChainCommand::Poll { endpoint, anchor, at }) => {
            let mut head = story.chain.head(*anchor);
            if let Some(at) = at {
                head = story.chain.head_at(*anchor, *at);
            }
            Event::Head { endpoint: *endpoint, head }
        }
        Command::Chain(ChainCommand::FetchRange(request)) => {
            Event::Range(story.chain.range(*request))
        }
        other @ (Command::Chain(_) | Command::Ledger(_) | Command::Payout(_)) => {
            panic!("{other:?} is no order to a node")
        }
    }
}

/// For some seconds some endpoints answer in a way of their own, the others honestly.
fn run_with(
    story: &mut Story,
    seconds: u64,
    mut other: impl FnMut(&Story, EndpointId, &Command) -> Option<Event>,
) {
    for _ in 0..seconds {
        story.pass(POLL_MS);
        story.apply(Event::Tick);
        while let Some(order) = story.orders.pop_front() {
            let event = whom(&order).and_then(|id| other(story, id, &order));
            match event {
                Some(event) => story.apply(event),
                None if matches!(&order, Command::Chain(ChainCommand::ReadState { .. })) => {
                    story.answer(order);
                }
                None if whom(&order).is_some() => {
                    let event = honest(story, &order);
                    story.apply(event);
                }
                None => story.answer(order),
            }
        }
    }
}

fn failure(order: &Command, fault: ReadFault) -> Event {
    match order {
        Command::Chain(ChainCommand::Poll { endpoint, .. }) => {
            Event::HeadFailed { endpoint: *endpoint, fault }
        }
        Command::Chain(ChainCommand::FetchRange(request)) => {
            Event::RangeFailed { request: *request, fault }
        }
        other @ (Command::Chain(_) | Command::Ledger(_) | Command::Payout(_)) => {
            panic!("{other:?} is no order to a node")
        }
    }
}

fn reason(story: &Story, id: EndpointId) -> Option<Reason> {
    let status = story.bridge.summary().endpoints;
    status.iter().find(|e| e.endpoint == id).unwrap().set_aside.map(|aside| aside.reason)
}

fn has(story: &Story, amount: u128) {
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), amount);
}

/// All amounts that this endpoint tells of are too large.
fn inflated(story: &Story, order: &Command) -> Event {
    let mut event = honest(story, order);
    if let Event::Range(range) = &mut event {
        for log in &mut range.logs {
            if let VaultEvent::Deposited(deposit) = &mut log.event {
                deposit.amount = TokenAmount(deposit.amount.0 * 10);
            }
        }
    }
    event
}

#[test]
fn a_leader_that_fails_is_replaced_within_the_same_second_and_comes_back() {
    let mut story = story(2, 1);
    story.mine(&[deposit(ALICE, 5)]);
    run_with(&mut story, 1, |_, id, order| {
        (id == FIRST).then(|| failure(order, ReadFault::Timeout))
    });
    has(&story, 5);
    assert_eq!(reason(&story, FIRST), Some(Reason::Failed(ReadFault::Timeout)));
    story.assert_well();
    story.run();
    story.run();
    assert_eq!(reason(&story, FIRST), None);
    assert!(story.bridge.summary().endpoints[0].leads);
}

#[test]
fn logs_that_one_keeps_back_are_read_by_hash_and_then_from_the_other() {
    let mut story = story(2, 1);
    story.mine(&[deposit(ALICE, 5)]);
    let mut attempts = Vec::new();
    run_with(&mut story, 2, |story, id, order| {
        if let Command::Chain(ChainCommand::FetchRange(request)) = order {
            attempts.push((id, request.attempt));
        }
        let Event::Range(mut range) = honest(story, order) else { return None };
        range.logs.clear();
        (id == FIRST).then_some(Event::Range(range))
    });
    assert_eq!(attempts, [(FIRST, 0), (FIRST, 1), (SECOND, 2)]);
    has(&story, 5);
    assert!(matches!(
        reason(&story, FIRST),
        Some(Reason::Contradicts(Evidence::CounterMismatch { .. }))
    ));
    story.assert_well();
}

#[test]
fn what_is_read_again_is_shown_until_it_fits() {
    let mut story = story(1, 1);
    story.mine(&[deposit(ALICE, 5)]);
    run_with(&mut story, 3, |story, _, order| {
        let Event::Range(mut range) = honest(story, order) else { return None };
        range.logs.clear();
        Some(Event::Range(range))
    });
    let [again] = story.bridge.summary().rereading[..] else { panic!("one thing is read again") };
    assert!(again.attempt > 1, "{again:?}");
    let text = again.to_string();
    assert!(text.contains("reading blocks") && text.contains("the vault counts 3"), "{text}");
    has(&story, 0);
    for _ in 0..20 {
        story.run();
    }
    assert_eq!(story.bridge.summary().rereading, []);
    has(&story, 5);
}

#[test]
fn a_leader_that_stands_still_is_replaced() {
    let mut story = story(2, 1);
    let past = story.chain.clone();
    story.mine(&[deposit(ALICE, 5)]);
    run_with(&mut story, 12, |_, id, order| {
        let Command::Chain(ChainCommand::Poll { endpoint, .. }) = order else { return None };
        let head = past.head(BlockNumber(0));
        (id == FIRST).then_some(Event::Head { endpoint: *endpoint, head })
    });
    has(&story, 5);
    assert!(
        matches!(reason(&story, FIRST), Some(Reason::Lags { .. })),
        "{:?}",
        reason(&story, FIRST)
    );
    story.assert_well();
}

#[test]
fn one_of_three_cannot_invent_money_where_two_must_agree() {
    for liar in [FIRST, SECOND, THIRD] {
        let mut story = story(3, 2);
        for _ in 0..5 {
            story.mine(&[deposit(ALICE, 5)]);
            run_with(&mut story, 2, |story, id, order| {
                (id == liar).then(|| inflated(story, order))
            });
        }
        has(&story, 25);
        story.assert_well();
    }
}

#[test]
fn without_agreement_nothing_is_taken_in_and_nothing_halts() {
    let mut story = story(2, 2);
    story.mine(&[deposit(ALICE, 5)]);
    run_with(&mut story, 30, |story, id, order| (id == FIRST).then(|| inflated(story, order)));
    has(&story, 0);
    assert_eq!(story.bridge.halted(), None);
    let [again] = story.bridge.summary().rereading[..] else { panic!("one thing is read again") };
    let nobody = Evidence::NoAgreement { number: story.chain.tip().block.number };
    assert_eq!(again.reason, Reason::Contradicts(nobody));
    for _ in 0..20 {
        story.run();
    }
    has(&story, 5);
    story.assert_well();
}

#[test]
fn heads_that_move_while_they_are_read_agree_on_what_both_have() {
    let mut story = story(2, 2);
    for n in 1..=6 {
        // The second endpoint is always one block behind.
        let past = story.chain.clone();
        story.mine(&[deposit(ALICE, 1)]);
        run_with(&mut story, 1, |_, id, order| {
            let Command::Chain(ChainCommand::Poll { endpoint, anchor, at: None }) = order else {
                return None;
            };
            let head = past.head(*anchor);
            (id == SECOND).then_some(Event::Head { endpoint: *endpoint, head })
        });
        has(&story, n - 1);
    }
    story.run();
    has(&story, 6);
}

#[test]
fn one_endpoint_of_another_chain_does_not_halt_and_all_of_them_do() {
    let other_chain = |story: &Story, order: &Command| {
        let Event::Head { endpoint, mut head } = honest(story, order) else { return None };
        head.genesis = B256::ZERO;
        Some(Event::Head { endpoint, head })
    };
    for (count, quorum) in [(2, 1), (3, 1), (3, 2)] {
        let mut story = story(count, quorum);
        story.mine(&[deposit(ALICE, 5)]);
        run_with(&mut story, 30, |story, id, order| {
            (id == FIRST).then(|| other_chain(story, order)).flatten()
        });
        has(&story, 5);
        story.assert_well();
        assert!(matches!(
            reason(&story, FIRST),
            Some(Reason::Contradicts(Evidence::GenesisChanged { .. }))
        ));
        run_with(&mut story, 30, |story, _, order| other_chain(story, order));
        story.assert_halted(|e| matches!(e, Evidence::GenesisChanged { .. }));
    }
}

#[test]
fn a_single_doubting_endpoint_is_outvoted_at_once_even_if_one_suspicion_were_enough() {
    let mut story = story(2, 1);
    story.config.suspicions_max = 1;
    story.restart();
    story.run();
    story.mine(&[deposit(ALICE, 5)]);
    run_with(&mut story, 10, |story, id, order| {
        let Event::Head { endpoint, mut head } = honest(story, order) else { return None };
        head.anchor = head.anchor.map(|(number, _)| (number, B256::ZERO));
        (id == FIRST).then_some(Event::Head { endpoint, head })
    });
    has(&story, 5);
    story.assert_well();
}

#[test]
fn a_counter_that_only_the_leader_tells_is_not_held_against_the_others() {
    let mut story = story(2, 1);
    story.mine(&[deposit(ALICE, 5)]);
    run_with(&mut story, 3, |story, id, order| {
        let Event::Head { endpoint, mut head } = honest(story, order) else { return None };
        head.last_seq = Seq(head.last_seq.0 + 1);
        (id == FIRST).then_some(Event::Head { endpoint, head })
    });
    has(&story, 5);
    assert_eq!(reason(&story, SECOND), None);
    story.assert_well();
}
