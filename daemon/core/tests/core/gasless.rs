//! Withdrawals that owners sign and nobody asks for on chain.

use super::common::{
    ALICE, BOB, CHAIN_ID, CHECKPOINT_MS, Happening, Story, USDX, VAULT, deposit, request,
};
use alloy_primitives::{B256, Bytes, U256};
use bridge_core::{
    amount::TokenAmount,
    block::{Seq, UnixSeconds},
    bridge::NotTaken,
    command::{Call, Command, LedgerCommand, Notice, PayoutCommand, TransactionPlan},
    eip712::Domain,
    event::{ContractState, Event},
    gasless::{Facts, Fault, GaslessConfig, Intent, Submission, Terms},
    halt::Evidence,
    id::TransferId,
    namespace::Role,
    transfer::{NewTransfer, Phase, TransferCode},
    vault_event::{
        Origin, Outcome, Payment, Progress, SpentNonce, VaultEvent, Window, WithdrawalEvent,
    },
    withdrawal::{Authorization, RefusalReason, Status, Verdict},
};

const LEAD_S: u64 = 30;
const FEE: u128 = 2;

/// Alice has 100; a daemon that takes orders.
fn story() -> Story {
    let mut story = Story::new();
    let fees = [(USDX.ledger, TokenAmount(USDX.divisor))].into();
    story.config.gasless = Some(GaslessConfig { fees, lead_s: LEAD_S, open_per_owner_max: 3 });
    story.restart();
    story.mine_and_run(&[deposit(ALICE, 100)]);
    story.assert_well();
    story
}

/// Alice's order for some of her money, to Bob.
fn order(story: &Story, amount: u128, nonce: u64) -> Intent {
    Intent {
        owner: ALICE,
        to: BOB,
        token: USDX.address(),
        amount: TokenAmount(amount * USDX.divisor),
        fee: TokenAmount(FEE * USDX.divisor),
        nonce: U256::from(nonce),
        deadline: story.chain.tip().timestamp.plus(600),
        signature: Bytes::from_static(b"alice"),
    }
}

fn id_of(intent: &Intent) -> B256 {
    intent.id(&Domain::new(CHAIN_ID, VAULT))
}

/// What adapters find out about it now.
fn submission(story: &Story, intent: Intent) -> Submission {
    let (id, tip) = (id_of(&intent), story.chain.tip());
    let terms = Terms {
        listing: USDX.listing(),
        minimum: TokenAmount(USDX.divisor),
        maximum: TokenAmount(80 * USDX.divisor),
    };
    let facts = Facts {
        block: tip.block.number,
        time: tip.timestamp,
        state: Some(ContractState::None),
        nonce_invalidated: false,
        is_signed: true,
        terms: Some(terms),
        window_s: (10, 1_000),
        pending: story.ledger.find(TransferId::gasless(Role::Main, id)),
        available: story.ledger.balance(USDX.ledger, ALICE),
        is_frozen: false,
    };
    Submission { intent, facts }
}

fn send(story: &mut Story, intent: &Intent) {
    let submission = submission(story, intent.clone());
    assert_eq!(story.bridge.judge_intent(&submission), Ok(()));
    story.apply(Event::Intent(Box::new(submission)));
}

fn event(intent: &Intent, progress: Progress) -> Happening {
    let id = id_of(intent);
    let Intent { owner, to, token, amount, fee, nonce, .. } = *intent;
    let payment = Some(Payment { owner, to, token, amount, fee, nonce });
    let (origin, nonce) = (Origin::Intent, Seq::of_intent(id));
    Happening::Odd(VaultEvent::Withdrawal(WithdrawalEvent { id, origin, nonce, progress, payment }))
}

fn paid(intent: &Intent) -> Happening {
    event(intent, Progress::Ended(Outcome::Paid))
}

fn leg(story: &Story, intent: &Intent, role: Role) -> Option<NewTransfer> {
    story.ledger.get(TransferId::gasless(role, id_of(intent))).copied()
}

/// The bridge's transactions, by the ids that they carry.
fn sent(story: &Story) -> Vec<B256> {
    let items = story.plans.values().filter_map(|plan| match &plan.call {
        Call::Withdrawals(items) => Some(items.iter().map(|item| item.request.id)),
        Call::Finish(_) | Call::Nothing => None,
    });
    items.flatten().collect()
}

fn status(story: &Story, intent: &Intent) -> Option<Status> {
    story.bridge.withdrawal(id_of(intent)).map(|w| w.status())
}

/// What its post or void is.
fn end(story: &Story, intent: &Intent) -> Option<Phase> {
    leg(story, intent, Role::Resolve).map(|t| t.phase)
}

#[test]
fn an_order_is_on_disk_before_the_ledger_hears_of_it_and_is_paid_with_its_fee() {
    let mut story = story();
    let intent = order(&story, 30, 1);
    send(&mut story, &intent);
    let kept = story.persisted().withdrawals;
    assert_eq!(kept[0].intent.as_deref(), Some(&intent));
    assert_eq!(leg(&story, &intent, Role::Main), None, "not before it is durable");

    story.run();
    let [gate, fee, main] =
        [Role::Gate, Role::Fee, Role::Main].map(|role| leg(&story, &intent, role).unwrap());
    assert_eq!(
        (gate.code, fee.code, main.code),
        (TransferCode::Gate, TransferCode::Fee, TransferCode::Gasless,)
    );
    assert_eq!((fee.amount.0, main.amount.0), (FEE, 30));
    assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 68);
    let Some(Call::Withdrawals(items)) = story.plans.get(&0).map(|plan| &plan.call) else {
        panic!("nothing was sent")
    };
    assert_eq!(items[0].intent.as_ref(), Some(&intent), "with what its owner signed");

    story.mine_and_run(&[paid(&intent)]);
    assert_eq!(end(&story, &intent), Some(Phase::Post(main.id)));
    let of_fee = leg(&story, &intent, Role::ResolveFee).unwrap();
    assert_eq!((of_fee.phase, of_fee.amount.0), (Phase::Post(fee.id), FEE));
    story.pass(CHECKPOINT_MS);
    story.run();
    assert_eq!(story.persisted().withdrawals, []);
    story.assert_well();
}

#[test]
fn the_same_text_again_changes_nothing() {
    let mut story = story();
    let intent = order(&story, 30, 1);
    send(&mut story, &intent);
    story.run();
    send(&mut story, &intent);
    story.run();
    story.mine_and_run(&[paid(&intent)]);
    let mut late = submission(&story, intent.clone());
    late.facts.state = Some(ContractState::PaidOrDeferred);
    assert_eq!(story.bridge.judge_intent(&late), Err(NotTaken::Known));
    let before = story.ledger.history.len();
    story.apply(Event::Intent(Box::new(late)));
    story.run();
    assert_eq!(story.ledger.history.len(), before);
    assert_eq!(sent(&story), [id_of(&intent)], "one transaction");
    story.assert_well();
}

#[test]
fn dying_after_every_single_order_pays_and_posts_once() {
    for deaths in 0..30_usize {
        let mut story = story();
        let intent = order(&story, 30, 1);
        send(&mut story, &intent);
        let mut left = deaths;
        let mut was_paid = false;
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
            if !story.pool.is_empty() && !was_paid {
                was_paid = true;
                story.pool.clear();
                story.use_nonce();
                story.mine(&[paid(&intent)]);
            }
        }
        story.run();
        story.run();
        story.assert_well();
        let main = TransferId::gasless(Role::Main, id_of(&intent));
        assert_eq!(end(&story, &intent), Some(Phase::Post(main)), "after {deaths} orders");
        assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 68, "after {deaths} orders");
        assert_eq!(story.persisted().withdrawals, []);
    }
}

#[test]
fn after_a_lost_store_it_waits_for_its_text_or_is_void_at_its_deadline() {
    for sent_again in [true, false] {
        let mut story = story();
        let intent = order(&story, 30, 1);
        send(&mut story, &intent);
        story
            .run_until(|c| matches!(c, Command::Payout(PayoutCommand::Authorize(_))).then_some(()));
        story.config.is_new = false;
        story.restart_with_nothing();
        for _ in 0..6 {
            story.run();
        }
        assert_eq!(status(&story, &intent), Some(Status::TextMissing));
        let found = |n: &Notice| matches!(n, Notice::IntentFound { .. });
        assert_eq!(story.notices.iter().filter(|n| found(n)).count(), 1);
        assert_eq!(sent(&story), [] as [B256; 0], "nobody can pay it");
        if sent_again {
            send(&mut story, &intent);
            story.run();
            assert_eq!(sent(&story), [id_of(&intent)]);
            story.mine_and_run(&[paid(&intent)]);
            assert!(matches!(end(&story, &intent), Some(Phase::Post(_))));
        } else {
            story.states.insert(Seq::of_intent(id_of(&intent)), ContractState::None);
            story.chain.mine_seconds(700);
            story.run();
            story.run();
            assert!(matches!(end(&story, &intent), Some(Phase::Void(_))));
            assert!(matches!(
                leg(&story, &intent, Role::ResolveFee).unwrap().phase,
                Phase::Void(_)
            ));
            assert_eq!(story.ledger.balance(USDX.ledger, ALICE), 100);
        }
        story.assert_well();
    }
}

#[test]
fn paid_while_the_store_was_lost_is_posted_by_what_the_event_tells() {
    let mut story = story();
    let intent = order(&story, 30, 1);
    send(&mut story, &intent);
    story.run();
    story.config.is_new = false;
    story.mine(&[paid(&intent)]);
    story.restart_with_nothing();
    for _ in 0..6 {
        story.run();
    }
    assert!(matches!(end(&story, &intent), Some(Phase::Post(_))));
    assert!(matches!(leg(&story, &intent, Role::ResolveFee).unwrap().phase, Phase::Post(_)));
    assert_eq!(status(&story, &intent), None);
    story.assert_well();
}

#[test]
fn what_its_owner_revokes_is_void_in_its_place_among_the_events() {
    let mut story = story();
    let intent = order(&story, 70, 9);
    send(&mut story, &intent);
    story.run_until(|c| matches!(c, Command::Payout(PayoutCommand::Authorize(_))).then_some(()));
    let spent = |owner, nonce: u64| {
        Happening::Odd(VaultEvent::NonceInvalidated(SpentNonce { owner, nonce: U256::from(nonce) }))
    };
    story.mine_and_run(&[spent(ALICE, 8), spent(BOB, 9)]);
    assert_eq!(end(&story, &intent), None, "neither this nonce nor this owner");
    // The money serves a request right behind it.
    let seq = story.mine_and_run(&[spent(ALICE, 9), request(ALICE, 90)]);
    story.run();
    assert!(matches!(end(&story, &intent), Some(Phase::Void(_))));
    assert!(story.ledger.get(story.ids(seq).main).is_some());
    story.assert_well();
}

#[test]
fn a_queued_order_survives_its_nonce_and_its_deadline() {
    let mut story = story();
    let intent = order(&story, 70, 9);
    send(&mut story, &intent);
    story.run();
    let window = Window { opens: UnixSeconds(0), expires: UnixSeconds(u64::MAX) };
    story.pool.clear();
    story.use_nonce();
    story.mine_and_run(&[event(&intent, Progress::Queued(window))]);
    let spent = SpentNonce { owner: ALICE, nonce: U256::from(9) };
    story.mine_and_run(&[Happening::Odd(VaultEvent::NonceInvalidated(spent))]);
    story.chain.mine_seconds(700);
    story.run();
    assert_eq!(end(&story, &intent), None);
    assert_eq!(status(&story, &intent), Some(Status::Queued));
    story.pass(60_000);
    let finishes = |plan: &TransactionPlan| matches!(&plan.call, Call::Finish(f) if f.intent.as_ref() == Some(&intent) && f.pays);
    assert!(story.plans.values().any(finishes), "the contract wants all that the owner signed");
    story.mine_and_run(&[paid(&intent)]);
    assert!(matches!(end(&story, &intent), Some(Phase::Post(_))));
    story.assert_well();
}

#[test]
fn it_is_void_only_if_the_contract_can_pay_it_no_more() {
    let mut story = story();
    let intent = order(&story, 30, 1);
    send(&mut story, &intent);
    story.run();
    let name = Seq::of_intent(id_of(&intent));
    story.chain.mine_seconds(700);
    for state in [ContractState::Requested, ContractState::PaidOrDeferred, ContractState::Queued] {
        story.states.insert(name, state);
        story.pass(10_000);
        story.run();
        assert_eq!(end(&story, &intent), None, "{state:?}");
    }
    story.states.insert(name, ContractState::None);
    story.pass(10_000);
    story.run();
    story.run();
    assert!(matches!(end(&story, &intent), Some(Phase::Void(_))));
    story.assert_well();
}

#[test]
fn everything_that_is_wrong_is_told_and_nothing_is_sent() {
    type Spoil = fn(&mut Submission);
    let cases: [(Fault, Spoil); 16] = [
        (Fault::UnknownToken, |s| s.facts.terms = None),
        (Fault::BelowMinimum(TokenAmount(10_000)), |s| s.intent.amount = TokenAmount(0)),
        (Fault::AboveMaximum(TokenAmount(800_000)), |s| s.intent.amount = TokenAmount(810_000)),
        (Fault::AmountNotDivisible(10_000), |s| s.intent.amount.0 += 1),
        (Fault::FeeNotDivisible(10_000), |s| s.intent.fee.0 += 1),
        (Fault::FeeTooLow(TokenAmount(10_000)), |s| s.intent.fee = TokenAmount(0)),
        (Fault::RecipientNotAllowed, |s| s.intent.to = VAULT),
        (Fault::RecipientNotAllowed, |s| s.intent.to = Default::default()),
        (Fault::NonceInvalidated, |s| s.facts.nonce_invalidated = true),
        (Fault::SignatureWrong, |s| s.facts.is_signed = false),
        (Fault::AccountFrozen, |s| s.facts.is_frozen = true),
        (Fault::InsufficientFunds(TokenAmount(310_000)), |s| s.facts.available = 31),
        (Fault::DeadlineTooSoon(UnixSeconds(0)), |s| {
            s.intent.deadline = s.facts.time.plus(LEAD_S - 1);
        }),
        (Fault::DeadlineTooSoon(UnixSeconds(0)), |s| {
            s.facts.window_s.0 = 601;
        }),
        (Fault::DeadlineTooFar(UnixSeconds(0)), |s| {
            s.intent.deadline = s.facts.time.plus(1_001);
        }),
        (Fault::TooManyOpen(3), |_| {}),
    ];
    for (n, (fault, spoil)) in cases.into_iter().enumerate() {
        let mut story = story();
        if fault == Fault::TooManyOpen(3) {
            for nonce in 10..13 {
                let other = order(&story, 1, nonce);
                send(&mut story, &other);
                story.run();
            }
        }
        let mut spoilt = submission(&story, order(&story, 30, 1));
        spoil(&mut spoilt);
        let Err(NotTaken::Faults(told)) = story.bridge.judge_intent(&spoilt) else {
            panic!("case {n}: taken")
        };
        let same = |other: &Fault| match fault {
            Fault::DeadlineTooSoon(_) | Fault::DeadlineTooFar(_) => other.name() == fault.name(),
            _ => *other == fault,
        };
        assert!(told.len() == 1 && same(&told[0]), "case {n}: {told:?}");
        assert!(!fault.to_string().is_empty() && !fault.field().is_empty());
        let said = story.said.len();
        story.apply(Event::Intent(Box::new(spoilt)));
        assert_eq!(story.said.len(), said, "case {n}");
    }
}

#[test]
fn what_was_read_below_the_newest_events_is_read_again() {
    let mut story = story();
    let early = submission(&story, order(&story, 30, 1));
    story.mine_and_run(&[deposit(BOB, 1)]);
    assert!(matches!(story.bridge.judge_intent(&early), Err(NotTaken::NotNow(_))));
}

#[test]
fn the_ledger_has_the_last_word_and_it_is_remembered() {
    let mut story = story();
    let intent = order(&story, 70, 1);
    let mut claimed = submission(&story, intent.clone());
    // A request takes the money between the look and the order.
    story.mine(&[request(ALICE, 60)]);
    story.run();
    claimed.facts.block = story.chain.tip().block.number;
    story.apply(Event::Intent(Box::new(claimed)));
    story.run();
    let id = id_of(&intent);
    assert_eq!(story.bridge.was_refused(id), Some(RefusalReason::InsufficientFunds));
    assert_eq!(status(&story, &intent), None);
    let again = submission(&story, intent);
    let Err(NotTaken::Faults(faults)) = story.bridge.judge_intent(&again) else { panic!() };
    assert!(faults.contains(&Fault::RefusedBefore), "{faults:?}");
    story.assert_well();
}

#[test]
fn a_payout_that_nobody_reserved_halts() {
    let mut story = story();
    let intent = order(&story, 30, 1);
    story.mine_and_run(&[paid(&intent)]);
    story.run();
    story.assert_halted(|e| matches!(e, Evidence::PaidWithoutReservation { .. }));
}

#[test]
fn a_resumed_bridge_keeps_what_owners_signed() {
    let mut story = story();
    let intent = order(&story, 30, 1);
    send(&mut story, &intent);
    story.run();
    let origin = story.chain.origin();
    for change in story.persisted().to_resume(origin) {
        match change.to_write() {
            (key, Some(value)) => story.store.insert(key, value),
            (key, None) => story.store.remove(&key),
        };
    }
    story.config.is_new = false;
    story.restart();
    for _ in 0..6 {
        story.run();
    }
    let open = story.bridge.withdrawal(id_of(&intent)).unwrap();
    assert_eq!(open.intent.as_deref(), Some(&intent));
    let signed = matches!(open.authorization, Some(Authorization { verdict: Verdict::Pay, .. }));
    assert!(signed, "{open:?}");
    story.assert_well();
}

#[test]
fn lookups_name_the_fee_as_well() {
    let mut story = story();
    let intent = order(&story, 30, 1);
    send(&mut story, &intent);
    story.run();
    let fee = TransferId::gasless(Role::Fee, id_of(&intent));
    let looked = story.said.iter().any(|c| {
        matches!(c, Command::Ledger(LedgerCommand::LookupTransfers { ids, .. }) if ids.contains(&fee))
    });
    assert!(looked);
}
