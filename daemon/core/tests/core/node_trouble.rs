//! What a node may do to us: lag, lie, contradict itself, answer with another chain.

use crate::common::*;
use alloy_primitives::{Address, B256};
use bridge_core::{
    amount::TokenAmount,
    block::{BlockNumber, Seq},
    command::{ChainCommand, Command, Notice, RangeRequest},
    endpoint::{EndpointId, ReadFault},
    event::{EVENT_HEADERS_MAX, Event, Head, Range},
    halt::{Evidence, Told},
    vault_event::VaultEvent,
};

/// Alice has 5; two more blocks with a deposit each wait to be read.
fn behind() -> Story {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    story.mine(&[deposit(ALICE, 7)]);
    story.mine(&[deposit(ALICE, 9), deposit(BOB, 1)]);
    story
}

/// Both tokens are listed; every block is a range of its own.
fn block_by_block() -> Story {
    let mut story = Story::unlisted();
    story.config.range_blocks_max = 1;
    story.restart();
    story.mine_and_run(&[Happening::Listed(ETHX), Happening::Listed(USDX)]);
    story
}

/// The node answers the next range request with something else once.
fn lie_once(story: &mut Story, lie: impl FnOnce(&mut Range)) {
    let request = story.run_until(fetch);
    let mut range = story.chain.range(request);
    lie(&mut range);
    story.apply(Event::Range(range));
    let (poll, others): (Vec<_>, Vec<_>) =
        story.orders.drain(..).partition(|o| matches!(o, Command::Chain(_)));
    assert_eq!(others, [], "nothing of it reaches the ledger");
    story.orders.extend(poll);
}

/// The node answers a poll with something else.
fn lie_about_the_head(story: &mut Story, lie: impl FnOnce(&mut Head)) {
    let anchor = story.run_until(poll);
    let mut head = story.chain.head(anchor);
    lie(&mut head);
    story.apply(Event::Head { endpoint: FIRST, head });
}

fn suspected(story: &Story) -> bool {
    story.notices.iter().any(|n| matches!(n, Notice::Suspect(_)))
}

#[test]
fn a_range_that_does_not_fit_is_read_again_and_nothing_is_skipped() {
    type Lie = (&'static str, fn(&mut Range));
    let lies: [Lie; 12] = [
        ("a gap in the numbers", |r| {
            r.logs.remove(1);
        }),
        ("the first event is missing", |r| {
            r.logs.remove(0);
        }),
        ("the last event is missing", |r| {
            r.logs.pop();
        }),
        ("no events at all", |r| r.logs.clear()),
        ("an event twice", |r| r.logs.insert(1, r.logs[0])),
        ("out of order", |r| r.logs.swap(0, 1)),
        ("somebody else's event", |r| r.logs[0].emitter = Address::ZERO),
        ("an event of another block", |r| r.logs[0].block.hash = B256::ZERO),
        ("an event outside of the range", |r| r.logs[2].block.number = BlockNumber(999)),
        ("a node for which the last block is not final", |r| {
            r.final_here = r.request.to.minus(1);
        }),
        ("headers that do not link", |r| {
            r.headers.last_entry().unwrap().get_mut().parent = B256::ZERO;
        }),
        ("a parent that is not our last block", |r| {
            r.headers.first_entry().unwrap().get_mut().parent = B256::ZERO;
        }),
    ];
    for (name, lie) in lies {
        let mut story = behind();
        lie_once(&mut story, lie);
        assert!(suspected(&story), "{name}");
        assert_eq!(story.bridge.halted(), None, "{name}");
        assert_eq!(story.ledger.history.len(), 1, "{name}");
        story.run();
        story.run();
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21, "{name}");
        story.assert_well();
    }
}

#[test]
fn a_missing_header_is_read_again() {
    let mut story = behind();
    lie_once(&mut story, |r| r.headers.clear());
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21);
}

#[test]
fn a_range_that_failed_is_asked_again_and_smaller_if_it_was_too_large() {
    let mut story = behind();
    let request = story.run_until(fetch);
    story.apply(Event::RangeFailed { request, fault: ReadFault::RateLimited });
    let same = story.run_until(fetch);
    assert_eq!((same.from, same.to, same.attempt), (request.from, request.to, 1));
    for _ in 0..10 {
        story.apply(Event::RangeFailed { request: same, fault: ReadFault::TooLarge });
        story.pass(10_000);
        let again = story.run_until(fetch);
        story.apply(Event::RangeFailed { request: again, fault: ReadFault::TooLarge });
        story.pass(10_000);
        if again.from == again.to {
            story.run();
            assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21);
            return;
        }
    }
    panic!("ranges did not shrink");
}

#[test]
fn an_error_that_does_not_tell_of_a_limit_makes_ranges_smaller_too() {
    for fault in [ReadFault::Refused, ReadFault::Timeout, ReadFault::Unreachable] {
        let mut story = Story::new();
        story.chain.mine_seconds(100 * BLOCK_SECONDS);
        let first = story.run_until(fetch);
        story.apply(Event::RangeFailed { request: first, fault });
        let again = story.run_until(fetch);
        assert_eq!((again.from, again.to), (first.from, first.to), "once may be an accident");
        story.apply(Event::RangeFailed { request: again, fault });
        let smaller = story.run_until(fetch);
        let blocks = |r: bridge_core::command::RangeRequest| r.to.0 - r.from.0 + 1;
        assert_eq!(blocks(smaller), blocks(first) / 2, "{fault:?}");
    }
}

#[test]
fn a_node_that_lags_is_waited_for() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    let tip = story.bridge.summary().final_block;
    for _ in 0..20 {
        let mut past = story.chain.clone();
        past.rewind(2);
        lie_about_the_head(&mut story, |head| *head = past.head(BlockNumber(77)));
        story.answer_all();
    }
    assert_eq!(story.bridge.summary().final_block, tip);
    story.mine_and_run(&[deposit(ALICE, 7)]);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 12);
    story.assert_well();
}

#[test]
fn a_final_head_never_goes_back_even_before_it_was_read() {
    let mut story = behind();
    story.run_until(fetch);
    let tip = story.chain.tip().block.number;
    assert_eq!(story.bridge.summary().final_block, Some(tip));
    let mut past = story.chain.clone();
    past.rewind(1);
    lie_about_the_head(&mut story, |head| *head = past.head(BlockNumber(0)));
    assert_eq!(story.bridge.summary().final_block, Some(tip));
}

#[test]
fn a_counter_that_differs_at_our_own_block_is_not_adopted() {
    for counter in [0, 99] {
        let mut story = Story::new();
        story.mine_and_run(&[deposit(ALICE, 5)]);
        lie_about_the_head(&mut story, |head| head.last_seq = Seq(counter));
        assert!(suspected(&story));
        assert_eq!(story.bridge.summary().contract_seq, Some(Seq(3)));
    }
}

#[test]
fn a_long_range_links_to_our_last_block_and_to_the_final_head() {
    let lies: [fn(&mut Range); 2] = [
        |r| r.headers.first_entry().unwrap().get_mut().parent = B256::ZERO,
        |r| r.headers.last_entry().unwrap().get_mut().block.hash = B256::ZERO,
    ];
    for lie in lies {
        let mut story = Story::new();
        story.chain.mine_seconds(100 * BLOCK_SECONDS);
        story.mine(&[deposit(ALICE, 5)]);
        lie_once(&mut story, |range| {
            assert!(!range.request.all_headers);
            lie(range);
        });
        assert!(suspected(&story));
        story.run();
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
        story.assert_well();
    }
}

#[test]
fn in_a_long_range_each_event_is_where_its_header_says() {
    let lies: [fn(&mut Range); 4] = [
        // Its logs are of a block that was given up; or the header is.
        |r| r.logs[0].block.hash = B256::ZERO,
        |r| r.headers.get_mut(&r.logs[0].block.number).unwrap().block.hash = B256::ZERO,
        // Two blocks with events, one after the other.
        |r| r.headers.get_mut(&r.logs[1].block.number).unwrap().parent = B256::ZERO,
        |r| {
            r.headers.remove(&r.logs[0].block.number);
        },
    ];
    for lie in lies {
        let mut story = Story::new();
        story.mine(&[]);
        story.mine(&[deposit(ALICE, 5)]);
        story.mine(&[deposit(ALICE, 6)]);
        story.chain.mine_seconds(100 * BLOCK_SECONDS);
        lie_once(&mut story, |range| {
            assert!(!range.request.all_headers && range.logs.len() == 2);
            lie(range);
        });
        assert!(suspected(&story));
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 0);
        story.run();
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 11);
        story.assert_well();
    }
}

#[test]
fn headers_of_events_are_bounded_and_evenly_spread() {
    let mut story = Story::new();
    let first = story.chain.tip().block.number.plus(1);
    for _ in 0..300 {
        story.mine(&[deposit(ALICE, 1)]);
    }
    let to = story.chain.tip().block.number;
    let request = RangeRequest {
        endpoint: EndpointId::default(),
        from: first,
        to,
        all_headers: false,
        attempt: 0,
    };
    let range = story.chain.range(request);
    let wanted: Vec<u64> = Range::wanted(&request, &range.logs).iter().map(|n| n.0).collect();
    assert!((EVENT_HEADERS_MAX / 2..=EVENT_HEADERS_MAX + 2).contains(&wanted.len()), "{wanted:?}");
    assert!(wanted.windows(2).all(|pair| pair[1] - pair[0] <= 5), "{wanted:?}");
    let all = RangeRequest { all_headers: true, ..request };
    assert_eq!(Range::wanted(&all, &[]).len(), 300);
    story.run();
    story.assert_well();
}

#[test]
fn a_gap_is_seen_where_no_counter_tells_of_it() {
    let mut story = block_by_block();
    story.mine(&[deposit(ALICE, 5), deposit(BOB, 7)]);
    story.mine(&[]);
    lie_once(&mut story, |range| {
        range.logs.remove(0);
    });
    let gap = Evidence::SeqGap { expected: Seq(3), found: Seq(4) };
    assert!(story.notices.contains(&Notice::Suspect(gap)));
    story.run();
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
    story.assert_well();
}

#[test]
fn events_that_a_node_kept_back_in_a_backfill_are_found_after_all() {
    let mut story = block_by_block();
    story.mine(&[deposit(ALICE, 5)]);
    story.mine(&[]);
    story.mine(&[deposit(ALICE, 7)]);
    story.mine(&[]);
    // Nothing in this range says that something is missing; what comes later does.
    lie_once(&mut story, |range| range.logs.clear());
    for _ in 0..20 {
        story.pass(10_000);
        story.run();
    }
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 12);
    story.assert_well();
}

#[test]
fn a_restart_finds_events_that_a_node_kept_back() {
    let mut story = block_by_block();
    story.mine(&[deposit(ALICE, 5)]);
    story.mine(&[]);
    lie_once(&mut story, |range| range.logs.clear());
    story.apply(Event::Stop);
    story.restart();
    story.run();
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
    story.assert_well();
}

#[test]
fn a_head_that_counts_other_events_is_not_believed() {
    for lie in [(|h| h.last_seq = Seq(1)) as fn(&mut Head), |h| h.last_seq = Seq(99)] {
        let mut story = behind();
        lie_about_the_head(&mut story, lie);
        story.answer_all();
        assert!(suspected(&story));
        story.run();
        story.run();
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21);
        story.assert_well();
    }
}

#[test]
fn a_credit_that_a_replaced_final_block_took_back_halts_after_n_polls_and_only_then() {
    let mut story = Story::new();
    let seq = story.mine_and_run(&[deposit(ALICE, 5)]);
    story.chain.rewind(1);
    story.mine(&[]);
    story.mine(&[]);
    for _ in 1..SUSPICIONS {
        story.run();
        assert_eq!(story.bridge.halted(), None);
        assert!(!story.bridge.is_up_to_date(), "nobody is paid on a doubtful chain");
    }
    story.run();
    story.run();
    story.assert_halted(|e| {
        matches!(e, Evidence::DepositDiffers { seq: s, chain: Told::Nothing, ledger: Some(entry) }
            if s == seq && entry.amount.0 == 5)
    });
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5, "the ledger is left alone");
}

#[test]
fn another_event_in_the_place_of_one_that_was_taken_in_halts_if_it_persists() {
    // The block of the deposit was read, its end is not proven yet, and it is replaced.
    let replaced = |amount| {
        let mut story = block_by_block();
        story.mine(&[deposit(ALICE, 5)]);
        story.mine(&[]);
        story.mine(&[]);
        story.answer_until(fetch);
        let request = story.run_until(fetch);
        story.apply(Event::Range(story.chain.range(request)));
        assert_eq!(story.bridge.summary().read.next_seq, Seq(4));
        story.chain.rewind(3);
        story.mine(&[deposit(ALICE, amount)]);
        story.mine(&[]);
        story.mine(&[]);
        story.mine(&[]);
        for _ in 0..4 * SUSPICIONS {
            story.run();
        }
        story
    };
    let story = replaced(5);
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
    story.assert_well();
    let story = replaced(6);
    story.assert_halted(|e| matches!(e, Evidence::EventReplaced { seq: Seq(3), .. }));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5, "the ledger is left alone");
}

#[test]
fn two_nodes_behind_one_address_are_not_a_contradiction() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    let mut other = story.chain.clone();
    other.rewind(1);
    other.mine(&[]);
    for _ in 0..10 {
        lie_about_the_head(&mut story, |head| *head = other.head(other.tip().block.number));
        story.answer_all();
        story.run();
    }
    story.assert_well();
}

#[test]
fn another_genesis_halts_if_it_persists() {
    let mut story = Story::new();
    let lie = |head: &mut Head| head.genesis = B256::ZERO;
    lie_about_the_head(&mut story, lie);
    story.run();
    story.assert_well();
    for _ in 0..SUSPICIONS {
        lie_about_the_head(&mut story, lie);
    }
    story.assert_halted(|e| matches!(e, Evidence::GenesisChanged { .. }));
}

#[test]
fn a_wrong_head_that_was_never_taken_in_does_not_halt() {
    let mut story = behind();
    lie_about_the_head(&mut story, |head| head.final_head.block.hash = B256::ZERO);
    // The range is slow; meanwhile the node tells the truth, again and again.
    let request = story.answer_until(fetch).unwrap();
    for _ in 0..2 * SUSPICIONS {
        story.run();
    }
    assert_eq!(story.bridge.halted(), None);
    story.answer(Command::Chain(ChainCommand::FetchRange(request)));
    story.answer_all();
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21);
    story.assert_well();
}

#[test]
fn a_height_that_does_not_exist_does_not_outlast_the_truth() {
    let mut story = behind();
    lie_about_the_head(&mut story, |head| head.final_head.block.number = BlockNumber(1_000_000));
    for _ in 0..20 {
        while let Some(order) = story.orders.pop_front() {
            match fetch(&order) {
                Some(request) if request.to > story.chain.tip().block.number => {
                    story.apply(Event::RangeFailed { request, fault: ReadFault::Refused });
                }
                _ => story.answer(order),
            }
        }
        story.pass(10_000);
        story.apply(Event::Tick);
    }
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21);
    story.assert_well();
}

#[test]
fn an_event_that_no_vault_emits_is_read_again_before_it_halts() {
    let odd = |range: &mut Range| {
        let VaultEvent::Deposited(deposit) = &mut range.logs[0].event else { panic!() };
        deposit.amount = TokenAmount(deposit.amount.0 + 1);
    };
    let mut story = behind();
    lie_once(&mut story, odd);
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21, "misread once");
    story.assert_well();

    let mut story = behind();
    for _ in 1..SUSPICIONS {
        lie_once(&mut story, odd);
        assert_eq!(story.bridge.halted(), None);
        story.pass(10_000);
    }
    lie_once(&mut story, odd);
    story.assert_halted(|e| matches!(e, Evidence::ImpossibleEvent { seq: Seq(4), .. }));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
}

#[test]
fn a_request_whose_id_does_not_commit_to_its_fields_is_not_reserved() {
    let mut story = Story::new();
    story.mine_and_run(&[deposit(ALICE, 5)]);
    let seq = story.mine(&[request(ALICE, 5)]);
    lie_once(&mut story, |range| {
        let VaultEvent::Requested(request) = &mut range.logs[0].event else { panic!() };
        request.to = BOB;
    });
    assert!(suspected(&story));
    story.run();
    assert_eq!(story.withdrawal(seq).unwrap().request, story.chain.request(seq));
    story.assert_well();
}

#[test]
fn an_answer_that_nobody_asked_for_is_ignored() {
    let mut story = behind();
    let request = story.run_until(fetch);
    let mut range = story.chain.range(request);
    range.request.attempt += 1;
    story.apply(Event::Range(range));
    assert_eq!(story.bridge.summary().read.next_seq, Seq(4));
    story.apply(Event::Range(story.chain.range(request)));
    story.apply(Event::Range(story.chain.range(request)));
    story.answer_all();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 21);
    story.assert_well();
}

#[test]
fn a_lost_poll_is_asked_again() {
    let mut story = Story::new();
    story.run_until(poll);
    story.mine(&[deposit(ALICE, 5)]);
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 0);
    story.pass(60_000);
    story.run();
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 5);
}
