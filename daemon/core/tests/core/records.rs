//! The store's records: what is written can be read, and nothing else is guessed at.

use crate::common::*;
use alloy_primitives::{B256, Bytes};
use bridge_core::{
    amount::{LedgerAmount, TokenAmount},
    asset::LedgerId,
    block::{BlockNumber, BlockRef, Millis, Seq, UnixSeconds},
    checkpoint::{Change, Checkpoint, Cursor, Persisted, Reach, SentTransaction},
    command::Fees,
    halt::{Entry, Evidence, Marker, Told},
    id::{AccountId, TransferId},
    posting::Standing,
    reserves::{Break, Equation},
    vault_event::{Outcome, Window},
    withdrawal::{Authorization, RefusalReason, Reservation, Verdict, Withdrawal, Work},
};

fn read(changes: &[Change]) -> Persisted {
    let mut persisted = Persisted::default();
    for change in changes {
        if let (key, Some(value)) = change.to_write() {
            persisted.read(&key, &value).unwrap();
        }
    }
    persisted
}

fn cursor(n: u64) -> Cursor {
    let block = BlockRef { number: BlockNumber(n), hash: B256::with_last_byte(7) };
    Cursor { block, next_seq: Seq(u64::MAX) }
}

fn withdrawal() -> Withdrawal {
    let mut chain = Chain::new();
    let seq = chain.mine(&[request(ALICE, 5)]);
    let mut withdrawal = Withdrawal::requested(
        seq,
        chain.request(seq),
        bridge_core::amount::LedgerAmount(u128::MAX),
    );
    withdrawal.queued = Some(Window { opens: UnixSeconds(8), expires: UnixSeconds(9) });
    withdrawal.outcome = Some(Outcome::Deferred);
    withdrawal.ended_by = Some(Seq(99));
    withdrawal.authorization = Some(Authorization {
        verdict: Verdict::Refuse(RefusalReason::VaultShort),
        signatures: vec![Bytes::from_static(&[1, 2, 255])],
        proof: vec![B256::repeat_byte(4)],
    });
    withdrawal.reservation = Reservation::Refused(RefusalReason::AccountFrozen);
    withdrawal
}

#[test]
fn every_record_reads_back_as_it_was_written() {
    let checkpoint = Checkpoint {
        key: Story::new().config.identity.key(),
        cursor: cursor(9),
        blocked: [(LedgerId(1001), cursor(3)), (LedgerId(u32::MAX), cursor(4))].into(),
        witness: Some(TransferId(u128::MAX)),
        reach: Reach::default().or(cursor(11)),
        foretold: [(Seq(5), Seq(7)), (Seq(u64::MAX), Seq(u64::MAX))].into(),
        records: 1,
    };
    let transaction = SentTransaction {
        nonce: u64::MAX,
        seqs: vec![Seq(3), Seq(4)],
        raw: Bytes::from_static(b"\x02raw"),
        hash: B256::repeat_byte(1),
        fees: Fees { max_fee: u128::MAX, priority_fee: 0 },
        sender: SUBMITTER,
    };
    let persisted = read(&[
        Change::Checkpoint(checkpoint.clone()),
        Change::Listing(ETHX.listing()),
        Change::Listing(USDX.listing()),
        Change::Withdrawal(Box::new(withdrawal())),
        Change::Transaction(transaction.clone()),
    ]);
    assert_eq!(persisted.checkpoint, Some(checkpoint));
    assert_eq!(persisted.listings, [ETHX.listing(), USDX.listing()]);
    assert_eq!(persisted.transactions, [transaction]);
    // What was under way is asked for again.
    assert_eq!(persisted.withdrawals, [Withdrawal { work: Work::Idle, ..withdrawal() }]);
    assert_eq!(persisted.halt, None);
}

#[test]
fn every_evidence_reads_back_as_it_was_written() {
    let (ours, theirs) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let (number, seq) = (BlockNumber(u64::MAX), Seq(u64::MAX));
    let (owner, ledger, amount) = (ALICE, LedgerId(1001), TokenAmount(u128::MAX));
    let deposited = Told::Deposit { owner, ledger, amount };
    let outcome = Some(Outcome::Deferred);
    let requested = Told::Request { owner, ledger, amount, outcome };
    let entry = Entry {
        account: AccountId(u128::MAX),
        amount: LedgerAmount(u128::MAX),
        standing: Standing::Voided,
    };
    for evidence in [
        Evidence::GenesisChanged { ours, theirs },
        Evidence::FinalBlockReplaced { number, ours, theirs },
        Evidence::SeqGap { expected: seq, found: Seq(0) },
        Evidence::CounterMismatch { logs: seq, contract: Seq(1), number },
        Evidence::BrokenLink { number },
        Evidence::ImpossibleEvent { seq, chain: Told::Other },
        Evidence::DepositDiffers { seq, chain: deposited, ledger: Some(entry) },
        Evidence::WithdrawalDiffers { seq, chain: Told::Nothing, ledger: None },
        Evidence::WithdrawalDiffers { seq, chain: requested, ledger: Some(entry) },
        Evidence::PaidWithoutReservation { seq, chain: requested },
        Evidence::EventReplaced { seq, ours: deposited, theirs: Told::Nothing },
        Evidence::LedgerLost { transfer: TransferId(u128::MAX) },
        Evidence::ReservesBroken(Break {
            ledger: LedgerId(1001),
            equation: Equation::Solvency,
            number,
            left: amount,
            right: TokenAmount(0),
        }),
        Evidence::NotFinalThere { number, asked: number },
    ] {
        let marker = Marker { evidence, since: Millis(u64::MAX) };
        let persisted = read(&[Change::Halt(marker)]);
        assert_eq!((persisted.halt, persisted.is_outdated), (Some(marker), false));
    }
}

#[test]
fn forgetting_deletes_the_key_that_remembering_wrote() {
    let withdrawal = withdrawal();
    let seq = withdrawal.seq;
    let (key, value) = Change::Withdrawal(Box::new(withdrawal)).to_write();
    assert!(value.is_some());
    assert_eq!(Change::ForgetWithdrawal(seq).to_write(), (key, None));
}

#[test]
fn keys_sort_as_their_numbers_do() {
    let key = |n| Change::ForgetTransaction(n).to_write().0;
    assert!(key(9) < key(10) && key(10) < key(u64::MAX));
}

#[test]
fn what_cannot_be_read_is_said_and_not_guessed() {
    let evidence = Evidence::BrokenLink { number: BlockNumber(1) };
    let (key, value) = Change::Halt(Marker { evidence, since: Millis(1) }).to_write();
    let value = value.unwrap();
    let mut newer = value.clone();
    newer[0] += 1;
    let mut cut = value.clone();
    cut.pop();
    let broken: [(&[u8], &[u8], &str); 5] = [
        (&key, &newer, "version 5"),
        (&key, &cut, "EOF"),
        (&key, b"", "empty"),
        (b"surprise", &value, "unknown kind of record"),
        (b"withdrawal/1", &value, "missing field"),
    ];
    for (key, value, why) in broken {
        let mut persisted = Persisted::default();
        let fault = persisted.read(key, value).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
        assert!(fault.contains(&*String::from_utf8_lossy(key)), "it names the record: {fault}");
        assert_eq!(persisted, Persisted::default());
    }
}

#[test]
fn a_lifted_halt_starts_over_and_keeps_what_tells_the_ledger_apart() {
    let checkpoint = Checkpoint {
        key: Story::new().config.identity.key(),
        cursor: cursor(9),
        blocked: [(LedgerId(1001), cursor(3))].into(),
        witness: Some(TransferId(77)),
        reach: Reach::default(),
        foretold: [(Seq(5), Seq(7))].into(),
        records: 2,
    };
    let evidence = Evidence::BrokenLink { number: BlockNumber(1) };
    let marker = Marker { evidence, since: Millis(1) };
    let before = read(&[
        Change::Checkpoint(checkpoint),
        Change::Withdrawal(Box::new(withdrawal())),
        Change::Halt(marker),
    ]);
    let origin = cursor(2).block;
    let changes = before.to_resume(origin);
    assert!(changes.contains(&Change::ForgetHalt));
    assert!(changes.contains(&Change::ForgetWithdrawal(withdrawal().seq)));
    let after = read(&changes).checkpoint.unwrap();
    assert_eq!((after.cursor.block, after.cursor.next_seq), (origin, Seq(1)));
    assert_eq!((after.witness, after.blocked.len()), (Some(TransferId(77)), 0));
    assert_eq!(after.foretold.len(), 0);
    assert_eq!((after.reach.block, after.reach.next_seq), (BlockNumber(9), Seq(u64::MAX)));
}
