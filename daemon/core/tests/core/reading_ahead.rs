//! Several ranges are read at once; they are taken in one after the other.

use crate::common::*;
use alloy_primitives::B256;
use bridge_core::{
    block::BlockNumber,
    command::{Command, RangeRequest},
    endpoint::ReadFault,
    event::Event,
};

/// Six blocks with a deposit each wait to be read, block by block; the first requests for them.
fn behind() -> (Story, Vec<RangeRequest>) {
    let mut story = Story::new();
    story.config.range_blocks_max = 1;
    story.restart();
    for amount in 1..=6 {
        story.mine(&[deposit(ALICE, amount)]);
    }
    let first = story.run_until(fetch);
    let mut requests = vec![first];
    requests.extend(take_fetches(&mut story));
    (story, requests)
}

/// Takes the requests for ranges out of the orders that nobody has answered yet.
fn take_fetches(story: &mut Story) -> Vec<RangeRequest> {
    let (fetches, others): (Vec<_>, Vec<_>) =
        story.orders.drain(..).partition(|order| fetch(order).is_some());
    story.orders.extend(others);
    fetches.iter().filter_map(fetch).collect()
}

fn bring(story: &mut Story, request: RangeRequest) {
    let range = story.chain.range(request);
    story.apply(Event::Range(range));
}

fn credited(story: &Story) -> u128 {
    story.ledger.balance(USDX.ledger, ALICE)
}

#[test]
fn a_bounded_number_of_ranges_follow_one_another_without_a_gap() {
    let (_, requests) = behind();
    assert_eq!(requests.len(), 3);
    for pair in requests.windows(2) {
        assert_eq!(pair[0].to.plus(1), pair[1].from);
    }
}

#[test]
fn what_comes_early_waits_for_its_turn() {
    let (mut story, requests) = behind();
    let before = story.said.len();
    for request in requests[1..].iter().rev() {
        bring(&mut story, *request);
        bring(&mut story, *request);
    }
    let is_ledger = |order: &Command| ledger_command(order).is_some();
    assert!(!story.said[before..].iter().any(is_ledger), "nothing reaches the ledger");
    bring(&mut story, requests[0]);
    story.answer_all();
    story.run();
    assert_eq!(credited(&story), 1 + 2 + 3 + 4 + 5 + 6);
    let ids: Vec<_> = story.ledger.history.iter().map(|t| t.id).collect();
    assert!(ids.is_sorted(), "in the order of the events");
    story.assert_well();
}

#[test]
fn one_that_fails_ahead_is_asked_for_again_in_its_turn() {
    let (mut story, requests) = behind();
    story.apply(Event::RangeFailed { request: requests[1], fault: ReadFault::RateLimited });
    assert_eq!(take_fetches(&mut story), [], "not at once");
    bring(&mut story, requests[0]);
    let next = take_fetches(&mut story);
    assert_eq!(next, [requests[1]], "and nothing ahead of it for a while");
    // What had been asked for behind it is not waited for any more.
    bring(&mut story, requests[2]);
    bring(&mut story, next[0]);
    story.answer_all();
    story.run();
    assert_eq!(credited(&story), 1 + 2 + 3 + 4 + 5 + 6);
    story.assert_well();
}

#[test]
fn a_range_that_does_not_fit_takes_those_behind_it_along() {
    let (mut story, requests) = behind();
    bring(&mut story, requests[1]);
    let mut range = story.chain.range(requests[0]);
    range.headers.first_entry().unwrap().get_mut().parent = B256::ZERO;
    story.apply(Event::Range(range));
    let again = story.run_until(fetch);
    assert_eq!((again.from, again.attempt), (requests[0].from, 1));
    assert_eq!(take_fetches(&mut story), [], "nothing is read ahead of what is read again");
    assert_eq!(credited(&story), 0);
    bring(&mut story, again);
    story.answer_all();
    story.run();
    assert_eq!(credited(&story), 1 + 2 + 3 + 4 + 5 + 6);
    story.assert_well();
}

#[test]
fn an_early_range_that_does_not_fit_is_read_again_when_its_turn_comes() {
    let (mut story, requests) = behind();
    let mut range = story.chain.range(requests[1]);
    range.logs.clear();
    range.headers.first_entry().unwrap().get_mut().parent = B256::ZERO;
    story.apply(Event::Range(range));
    bring(&mut story, requests[0]);
    let again = story.run_until(fetch);
    assert_eq!((again.from, again.attempt), (requests[1].from, 1));
    bring(&mut story, again);
    story.answer_all();
    story.run();
    assert_eq!(credited(&story), 1 + 2 + 3 + 4 + 5 + 6);
    story.assert_well();
}

#[test]
fn ranges_hold_as_many_blocks_as_the_events_left_suggest() {
    let mut story = Story::new();
    story.config.range_events_max = 8;
    story.restart();
    for amount in 1..=24 {
        story.mine(&[deposit(ALICE, amount)]);
    }
    let first = story.run_until(fetch);
    // 26 events in 25 blocks, and half of the most events in a range: a bit less than 4 blocks.
    assert_eq!((first.from, first.to), (BlockNumber(1), BlockNumber(3)));
    bring(&mut story, first);
    story.answer_all();
    story.run();
    assert_eq!(credited(&story), (1..=24).sum());
    story.assert_well();
}
