//! What a deposit or withdrawal waits for: a pure function of what is known of it and of the bridge.

use bridge_core::{obstacle::Obstacle, withdrawal::Status};
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds in a minute.
const MINUTE: u64 = 60;

/// Why a thing is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::api) struct Because {
    /// Stable name of what it waits for; `nothing` where it has ended.
    pub(in crate::api) waits_for: &'static str,
    /// The same in a sentence.
    pub(in crate::api) sentence: String,
    /// What would move it, and who can do that.
    pub(in crate::api) moves: String,
}

/// What is known of a thing.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Thing {
    /// What it is, and its state.
    pub(super) state: Known,
    /// Final blocks that are still missing; `None` where its block is final. Without a count a tag of
    /// the node decides.
    pub(super) unfinal: Option<Missing>,
    /// True if its token's ledger stopped.
    pub(super) is_blocked: bool,
    /// True if its token's reserves are not proved now.
    pub(super) is_unproved: bool,
    /// Seconds left until its deadline, at most 0 once it has passed; withdrawals only.
    pub(super) deadline_in_s: Option<i64>,
    /// True if its owner signed it and the chain knows it from its payout on only.
    pub(super) is_gasless: bool,
    /// True if a block, final or not, has ended it.
    pub(super) is_ended: bool,
    /// What the last attempt to pay it met.
    pub(super) obstacle: Option<Obstacle>,
}

/// What is missing until a block is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Missing {
    /// So many blocks.
    Blocks(u64),
    /// The node's tag has not reached it.
    Tag,
}

/// A thing and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Known {
    /// In no block that the node has.
    Unseen,
    /// A deposit that is not in the ledger yet.
    Deposit,
    /// A deposit in the ledger.
    Cleared,
    /// A withdrawal.
    Withdrawal(Status),
}

/// What is known of the bridge.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Bridge {
    /// Why it halted.
    pub(super) halted: Option<String>,
    /// True if the ledger does not answer.
    pub(super) is_ledger_silent: bool,
    /// True if the node does not answer, or does not get on.
    pub(super) is_node_silent: bool,
    /// True while history is held against the ledger after a start.
    pub(super) is_comparing: bool,
    /// True if everything final is in the ledger.
    pub(super) is_up_to_date: bool,
    /// True if this daemon pays.
    pub(super) pays: bool,
    /// Operations before the ledger.
    pub(super) queued: usize,
    /// Minutes for which payouts are still paused.
    pub(super) paused_minutes: Option<u64>,
}

fn because(name: &'static str, sentence: impl Into<String>, moves: impl Into<String>) -> Because {
    Because { waits_for: name, sentence: sentence.into(), moves: moves.into() }
}

/// Why a thing is where it is, and what would move it.
pub(in crate::api) fn why(thing: &Thing, bridge: &Bridge) -> Because {
    match thing.state {
        Known::Unseen => return unseen(bridge),
        Known::Cleared => {
            let sentence = "it is in the ledger, final";
            return because("nothing", sentence, "nothing: it has arrived");
        }
        Known::Withdrawal(status) => {
            if let Some(ended) = ended(status) {
                return ended;
            }
        }
        Known::Deposit => {}
    }
    if let Some(evidence) = &bridge.halted {
        return because(
            "operator_halt",
            format!("the bridge halted: {evidence}"),
            "the operator finds the cause and lifts the halt; nothing is lost meanwhile",
        );
    }
    if let Some(missing) = thing.unfinal {
        return finality(missing, bridge);
    }
    match thing.state {
        Known::Withdrawal(Status::Pending | Status::Requested) | Known::Deposit => {
            booking(thing, bridge)
        }
        Known::Withdrawal(status) => payout(status, thing, bridge),
        Known::Unseen | Known::Cleared => unseen(bridge),
    }
}

fn unseen(bridge: &Bridge) -> Because {
    if bridge.is_node_silent {
        return node(bridge);
    }
    because(
        "a_block",
        "no block that this bridge's node has holds it",
        "the sender's transaction in a block: look for it in a block explorer of this chain. What was \
         sent with a plain transfer instead of a deposit is never seen",
    )
}

fn node(_bridge: &Bridge) -> Because {
    because(
        "the_node",
        "the bridge's node does not answer or does not get on",
        "the operator brings a node back (sovrd doctor names it); then it goes on by itself",
    )
}

fn finality(missing: Missing, bridge: &Bridge) -> Because {
    if bridge.is_node_silent {
        return node(bridge);
    }
    match missing {
        Missing::Blocks(n) => because(
            "finality",
            format!("its block is not final: {n} more blocks are needed"),
            "time: nobody has to do anything",
        ),
        Missing::Tag => because(
            "finality_tag",
            "its block is not final: the node's tag has not reached it",
            "time: nobody has to do anything; the chain finalises in epochs",
        ),
    }
}

/// A final event on its way into the ledger.
fn booking(thing: &Thing, bridge: &Bridge) -> Because {
    if thing.is_blocked {
        return because(
            "operator_ledger",
            "the ledger of its token stopped: an account there is not as it must be",
            "the operator mends the account and restarts the daemon",
        );
    }
    if bridge.is_ledger_silent {
        return silent();
    }
    if bridge.is_comparing {
        return because(
            "comparing",
            "after a start, all of history is held against the ledger first",
            "time: nobody has to do anything",
        );
    }
    if bridge.is_node_silent {
        return node(bridge);
    }
    because(
        "booking",
        format!("it is being booked; {} operations wait for the ledger", bridge.queued),
        "time: usually less than a second",
    )
}

fn silent() -> Because {
    because(
        "the_ledger",
        "the ledger does not answer",
        "the operator brings TigerBeetle back (sovrd doctor says what is wrong)",
    )
}

/// A withdrawal that is in the ledger and not ended on chain.
fn payout(status: Status, thing: &Thing, bridge: &Bridge) -> Because {
    if thing.is_ended {
        return held(Obstacle::AlreadyEnded);
    }
    // What waits in the vault's queue has an expiry of its own.
    if thing.deadline_in_s.is_some_and(|left| left <= 0) && status != Status::Queued {
        return late(thing);
    }
    match status {
        Status::Submitted => return sent(),
        Status::Queued => return queued(thing, bridge),
        Status::Refusing => {
            return because(
                "refusing",
                "the ledger refused it, and that is being written on chain",
                "time; with the ticket anybody may send the refusal themselves",
            );
        }
        Status::TextMissing => {
            return because(
                "its_text",
                "the amount is set aside, but what its owner signed is lost",
                "its owner, who sends the same text again; else the amount is free at its deadline",
            );
        }
        Status::Pending
        | Status::Requested
        | Status::Reserved
        | Status::Authorized
        | Status::Paid
        | Status::Deferred
        | Status::Refused
        | Status::Cancelled
        | Status::Expired
        | Status::Revoked => {}
    }
    unpaid(thing, bridge)
}

fn late(thing: &Thing) -> Because {
    if thing.is_gasless {
        return because(
            "its_deadline",
            "its deadline has passed: nobody can pay it any more",
            "time: the amount is free again once a later block is final",
        );
    }
    because(
        "cancelling",
        "its deadline has passed: it cannot be paid any more",
        "anybody may call cancelExpired; the amount is free again once that, or a later block \
         of the vault, is final",
    )
}

fn queued(thing: &Thing, bridge: &Bridge) -> Because {
    match (thing.obstacle, bridge.paused_minutes) {
        (Some(obstacle), _) => held(obstacle),
        (None, Some(minutes)) => paused(minutes),
        (None, None) => because(
            "the_queue",
            "large payouts wait in the vault, so that its guardian can look at them",
            "time: it is finalized once its window has passed (queue tells when); anybody may \
             call finalize then, too",
        ),
    }
}

fn paused(minutes: u64) -> Because {
    because(
        "pause",
        format!("payouts are paused for {minutes} more minutes"),
        "time, or the vault's admin, who may lift the pause earlier",
    )
}

fn sent() -> Because {
    because(
        "a_block_for_the_payout",
        "the payout's transaction is sent and in no final block yet",
        "a block that takes it; the daemon sends it again and raises the fee by itself",
    )
}

fn unpaid(thing: &Thing, bridge: &Bridge) -> Because {
    if !bridge.pays {
        return because(
            "another_daemon",
            "this daemon follows the chain and pays nobody",
            "a daemon with payout keys for this vault: ask the operator",
        );
    }
    if bridge.is_ledger_silent {
        return silent();
    }
    if let Some(minutes) = bridge.paused_minutes {
        return paused(minutes);
    }
    if bridge.is_comparing || !bridge.is_up_to_date {
        return because(
            "catching_up",
            "nothing is paid before everything final is in the ledger",
            "time: the daemon catches up by itself",
        );
    }
    if thing.is_unproved {
        return because(
            "reserves",
            "nothing of this token is paid before its reserves are proved",
            "time, if the daemon has just started; else the operator: sovrd reconcile shows both sides",
        );
    }
    thing.obstacle.map_or_else(signing, held)
}

fn signing() -> Because {
    because("signatures", "the payout signers are being asked", "time: usually a second or two")
}

/// What the last attempt met.
fn held(obstacle: Obstacle) -> Because {
    let moves = match obstacle {
        Obstacle::SignersAway => {
            "the operators of the payout signers; each says in its log why it does not sign"
        }
        Obstacle::NodeAway => "the operator brings a node back; it is tried again by itself",
        Obstacle::SignersChanged => "time: the new signers are asked by themselves",
        Obstacle::PayoutsPaused => "time, or the vault's admin, who may lift the pause earlier",
        Obstacle::AlreadyEnded => "time: the block that ended it becomes final",
        Obstacle::DeadlinePassed => "time: the amount is free again once that is final",
        Obstacle::VaultShort => "the operator: sovrd reconcile shows what is missing",
        Obstacle::BudgetExhausted => "time: the budget refills continuously",
        Obstacle::GasLimitTooLow => "the operator raises payouts.gas_limit",
        Obstacle::WindowOpen => "time: the vault counts blocks beside seconds",
        Obstacle::QueueExpired => "time: it is cancelled once that is final; then ask again",
        Obstacle::GasMoneyShort => {
            "anybody who sends the submitter ether; status names its address"
        }
        Obstacle::Reverted => "the operator: the daemon's log has the vault's error",
    };
    because(obstacle.name(), obstacle.sentence(), moves)
}

/// What there is left to do for one that has ended.
fn ended(status: Status) -> Option<Because> {
    let moves = match status {
        Status::Paid => "nothing: the money has arrived",
        Status::Deferred => {
            return Some(because(
                "a_claim",
                status.sentence(),
                "its owner calls claim(token, to) with an address that takes the money",
            ));
        }
        Status::Refused => "nothing: ask for another withdrawal, for no more than the balance",
        Status::Cancelled | Status::Expired => "nothing: ask for another withdrawal",
        Status::Revoked => "nothing: sign another order, with another nonce",
        Status::Pending
        | Status::Requested
        | Status::Reserved
        | Status::Authorized
        | Status::Submitted
        | Status::Queued
        | Status::Refusing
        | Status::TextMissing => return None,
    };
    Some(because("nothing", status.sentence(), moves))
}

/// Whole minutes from now to a time, both Unix seconds; `None` once it is reached.
pub(super) fn minutes_until(until: u64, now_s: u64) -> Option<u64> {
    let left = until.saturating_sub(now_s);
    (left > 0).then(|| left.div_ceil(MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const GOING: Status = Status::Reserved;

    fn thing(state: Known) -> Thing {
        Thing {
            state,
            unfinal: None,
            is_blocked: false,
            is_unproved: false,
            deadline_in_s: Some(100),
            is_gasless: false,
            is_ended: false,
            obstacle: None,
        }
    }

    fn bridge() -> Bridge {
        Bridge { is_up_to_date: true, pays: true, ..Bridge::default() }
    }

    type Change = fn(&mut Thing, &mut Bridge);
    const WITHDRAWAL: Known = Known::Withdrawal(GOING);

    /// What is waited for, a word of what is said and of what would move it.
    const CASES: &[(&str, &str, &str, Known, Change)] = &[
        ("a_block", "no block", "plain transfer", Known::Unseen, |_, _| {}),
        ("the_node", "does not answer", "sovrd doctor", Known::Unseen, |_, b| {
            b.is_node_silent = true;
        }),
        ("the_node", "does not answer", "sovrd doctor", Known::Deposit, |_, b| {
            b.is_node_silent = true;
        }),
        ("nothing", "in the ledger, final", "has arrived", Known::Cleared, |_, b| {
            b.halted = Some("gap".to_owned());
        }),
        ("operator_halt", "halted: gap", "lifts the halt", Known::Deposit, |_, b| {
            b.halted = Some("gap".to_owned());
        }),
        ("finality", "7 more blocks", "time", Known::Deposit, |t, _| {
            t.unfinal = Some(Missing::Blocks(7));
        }),
        ("the_node", "does not answer", "node back", Known::Deposit, |t, b| {
            t.unfinal = Some(Missing::Blocks(7));
            b.is_node_silent = true;
        }),
        ("finality_tag", "tag", "epochs", Known::Withdrawal(Status::Pending), |t, _| {
            t.unfinal = Some(Missing::Tag);
        }),
        ("operator_ledger", "ledger of its token stopped", "mends", Known::Deposit, |t, _| {
            t.is_blocked = true;
        }),
        ("the_ledger", "does not answer", "TigerBeetle", Known::Deposit, |_, b| {
            b.is_ledger_silent = true;
        }),
        ("the_ledger", "does not answer", "TigerBeetle", WITHDRAWAL, |_, b| {
            b.is_ledger_silent = true;
        }),
        ("comparing", "held against the ledger", "time", Known::Deposit, |_, b| {
            b.is_comparing = true;
        }),
        ("booking", "3 operations", "time", Known::Withdrawal(Status::Requested), |_, b| {
            b.queued = 3;
        }),
        ("cancelling", "deadline has passed", "cancelExpired", WITHDRAWAL, |t, _| {
            t.deadline_in_s = Some(0);
        }),
        ("its_deadline", "has passed", "later block", WITHDRAWAL, |t, _| {
            (t.is_gasless, t.deadline_in_s) = (true, Some(0));
        }),
        (
            "a_block_for_the_payout",
            "transaction is sent",
            "raises the fee",
            Known::Withdrawal(Status::Submitted),
            |_, _| {},
        ),
        ("the_queue", "guardian", "finalize", Known::Withdrawal(Status::Queued), |_, _| {}),
        ("pause", "9 more minutes", "admin", Known::Withdrawal(Status::Queued), |_, b| {
            b.paused_minutes = Some(9);
        }),
        ("window_open", "window", "blocks", Known::Withdrawal(Status::Queued), |t, _| {
            t.obstacle = Some(Obstacle::WindowOpen);
        }),
        ("already_ended", "ended", "final", Known::Withdrawal(Status::Submitted), |t, _| {
            (t.is_ended, t.deadline_in_s) = (true, Some(-5));
        }),
        ("its_text", "signed", "sends", Known::Withdrawal(Status::TextMissing), |_, _| {}),
        ("refusing", "refused it", "ticket", Known::Withdrawal(Status::Refusing), |_, _| {}),
        ("another_daemon", "pays nobody", "payout keys", WITHDRAWAL, |_, b| b.pays = false),
        ("pause", "9 more minutes", "admin", WITHDRAWAL, |_, b| b.paused_minutes = Some(9)),
        ("catching_up", "everything final", "by itself", WITHDRAWAL, |_, b| {
            b.is_up_to_date = false;
        }),
        ("reserves", "are proved", "sovrd reconcile", WITHDRAWAL, |t, _| t.is_unproved = true),
        ("signatures", "are being asked", "time", WITHDRAWAL, |_, _| {}),
        ("a_claim", "can claim it", "claim(token", Known::Withdrawal(Status::Deferred), |_, _| {}),
        ("nothing", "reached", "arrived", Known::Withdrawal(Status::Paid), |_, _| {}),
        ("nothing", "refused", "no more than", Known::Withdrawal(Status::Refused), |_, _| {}),
        ("nothing", "free again", "another", Known::Withdrawal(Status::Cancelled), |_, _| {}),
        ("nothing", "free again", "another", Known::Withdrawal(Status::Expired), |_, _| {}),
    ];

    #[test]
    fn what_is_waited_for_is_named_with_what_would_move_it() {
        for (name, says, moves, state, change) in CASES.iter().copied() {
            let (mut thing, mut bridge) = (thing(state), bridge());
            change(&mut thing, &mut bridge);
            let found = why(&thing, &bridge);
            assert_eq!(found.waits_for, name, "{found:?}");
            assert!(found.sentence.contains(says), "{says}: {found:?}");
            assert!(found.moves.contains(moves), "{moves}: {found:?}");
        }
    }

    #[test]
    fn every_obstacle_has_somebody_who_moves_it() {
        for obstacle in Obstacle::ALL {
            let thing = Thing { obstacle: Some(obstacle), ..thing(WITHDRAWAL) };
            let found = why(&thing, &bridge());
            assert_eq!(found.waits_for, obstacle.name());
            assert_eq!(found.sentence, obstacle.sentence());
            assert!(found.moves.len() > 10, "{found:?}");
        }
    }

    /// A sentence that no case above provokes is one that nobody has ever read.
    #[test]
    fn no_sentence_is_left_out() {
        let source = include_str!("because.rs").split("#[cfg(test)]").next().unwrap();
        let calls = source.split("because(").skip(1).filter_map(|call| call.split('"').nth(1));
        let written: BTreeSet<&str> =
            calls.filter(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')).collect();
        // Obstacles have their names and sentences from the core.
        let held: BTreeSet<&str> = Obstacle::ALL.iter().map(|o| o.name()).collect();
        let cases = CASES.iter().map(|case| case.0).filter(|name| !held.contains(name));
        let provoked: BTreeSet<&str> = cases.collect();
        assert_eq!(written, provoked);
    }

    #[test]
    fn a_time_that_began_counts_as_a_minute() {
        assert_eq!(minutes_until(100, 100), None);
        assert_eq!(minutes_until(101, 100), Some(1));
        assert_eq!(minutes_until(161, 100), Some(2));
    }
}
