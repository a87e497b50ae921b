//! Sections 4 and 5: ids of transfers, and what they carry.

use super::{Vector, instance, vectors};
use alloy_primitives::Address;
use bridge_core::{
    amount::{LedgerAmount, ScaleDivisor, TokenAmount},
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Millis, Seq, UnixSeconds},
    id::{AccountId, Instance, Kind, TransferId},
    namespace::{Closure, Line, Part, Role},
    posting::{self, Credit},
    user_data::UserData,
    vault_event::{Deposit, Request, VaultEvent, VaultLog},
    withdrawal::Withdrawal,
};

#[test]
fn transfer_ids_of_chain_events() {
    let kinds = [
        Kind::Deposit,
        Kind::Main,
        Kind::Gate,
        Kind::Fee,
        Kind::Resolve,
        Kind::ResolveFee,
        Kind::DebitedBack,
        Kind::Shortfall,
    ];
    let mut checked = Vec::new();
    for v in vectors("transfer_chain_event") {
        let number = v.number::<u8>("kind");
        let kind = kinds.into_iter().find(|k| k.byte() == number);
        let kind = kind.unwrap_or_else(|| panic!("no kind {number:#x}"));
        assert_eq!(kind as u8, number, "the two numberings of Kind differ");
        let (instance, seq, attempt) = (of_instance(&v), v.seq("seq"), v.number("attempt"));
        v.expect("id", TransferId::attempt(instance, kind, seq, attempt));
        if attempt == 0 {
            v.expect("id", TransferId::chain_event(instance, kind, seq));
        }
        checked.push(number);
    }
    assert!(kinds.iter().all(|k| checked.contains(&k.byte())));
}

#[test]
fn user_data_of_deposits() {
    let divisor = ScaleDivisor::new(1).unwrap();
    let listing = Listing { token: Address::repeat_byte(7), ledger: LedgerId(1001), divisor };
    for v in vectors("user_data_deposit") {
        let deposit = Deposit {
            token: listing.token,
            owner: Address::repeat_byte(9),
            amount: TokenAmount(5),
            ledger: listing.ledger,
        };
        let log = VaultLog {
            emitter: Address::ZERO,
            block: BlockRef { number: BlockNumber(1), hash: v.hash("block_hash") },
            tx_hash: v.hash("tx_hash"),
            log_index: v.number("log_index"),
            seq: Seq(1),
            event: VaultEvent::Deposited(deposit),
        };
        let credit = Credit::of(&listing, &log, &deposit).unwrap();
        let t = posting::deposit(instance(1), &credit, false);
        v.expect_user_data(t.user_data_128, t.user_data_64, t.user_data_32);
    }
}

#[test]
fn user_data_of_withdrawals() {
    for v in vectors("user_data_withdrawal") {
        let request = Request {
            id: v.hash("id"),
            owner: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            token: Address::repeat_byte(3),
            amount: TokenAmount(5),
            deadline: UnixSeconds(v.number("deadline")),
            ledger: LedgerId(1001),
        };
        let withdrawal = Withdrawal::requested(Seq(4), request, LedgerAmount(5));
        for t in posting::reservation(instance(1), &withdrawal).transfers() {
            v.expect_user_data(t.user_data_128, t.user_data_64, t.user_data_32);
        }
    }
}

/// The instance that a vector names.
fn of_instance(v: &Vector) -> Instance {
    instance(v.number("instance"))
}

fn line(v: &Vector) -> Line {
    Line::new(v.number("line")).unwrap()
}

#[test]
fn transfer_ids_of_gasless_withdrawals() {
    let roles = [Role::Main, Role::Gate, Role::Fee, Role::Resolve, Role::ResolveFee];
    for v in vectors("transfer_gasless") {
        let role = roles[v.number::<usize>("role") - 1];
        v.expect("id", TransferId::gasless(role, v.hash("digest")));
    }
}

const PARTS: [Part; 8] = [
    Part::Payment,
    Part::Gate,
    Part::DailyLimit,
    Part::MonthlyLimit,
    Part::SkuLimit,
    Part::DailyLimitVoid,
    Part::MonthlyLimitVoid,
    Part::SkuLimitVoid,
];

#[test]
fn transfer_ids_of_intents() {
    let mut checked = [0; 8];
    for v in vectors("transfer_intent") {
        let part = v.number::<usize>("part");
        let issued_at = Millis(v.number("issued_at_ms"));
        let id = TransferId::intent_leg(issued_at, v.hash("digest"), line(&v), PARTS[part]);
        v.expect("id", id.unwrap());
        checked[part] += 1;
    }
    assert!(checked.iter().all(|n| *n > 0), "{checked:?}");
}

#[test]
fn what_does_not_fit_in_an_id_has_none() {
    let digest = alloy_primitives::B256::ZERO;
    let leg = |ms| TransferId::intent_leg(Millis(ms), digest, Line::FIRST, Part::Payment);
    assert!(leg((1 << 48) - 1).is_some());
    assert!(leg(1 << 48).is_none());
    assert!(Line::new(31).is_some());
    assert!(Line::new(32).is_none());
    let provisional = |seq| TransferId::provisional(instance(1), Seq(seq), digest);
    assert!(provisional((1 << 40) - 1).is_some());
    assert!(provisional(1 << 40).is_none());
}

#[test]
fn transfer_ids_of_provisional_deposits() {
    let id = |v: &Vector| {
        TransferId::provisional(of_instance(v), v.seq("seq"), v.hash("block_hash")).unwrap()
    };
    for v in vectors("transfer_provisional") {
        v.expect("id", id(&v));
    }
    for v in vectors("transfer_provisional_void") {
        v.expect("id", id(&v).void_of_provisional());
    }
}

#[test]
fn transfer_ids_of_supersede_records() {
    for v in vectors("transfer_supersede") {
        assert_eq!(v.number::<u8>("role"), 1);
        v.expect("id", TransferId::supersede(of_instance(&v), v.seq("first_seq")));
    }
}

#[test]
fn transfer_ids_of_what_operators_and_agents_do() {
    for v in vectors("transfer_forward") {
        v.expect("id", TransferId::forward(v.hash("approval_digest")));
    }
    for v in vectors("transfer_limit_funding") {
        let account = AccountId(v.number("account"));
        v.expect("id", TransferId::limit_funding(account, v.number("revision")));
    }
    for v in vectors("transfer_honored") {
        let payment = TransferId(v.number("payment"));
        v.expect("id", payment.honored(v.number("attempt")));
    }
    for v in vectors("transfer_closure") {
        let closure = [Closure::Close, Closure::Reopen][v.number::<usize>("role") - 1];
        let account = AccountId(v.number("account"));
        v.expect("id", TransferId::closure(closure, account, v.number("round")));
    }
}

#[test]
fn the_pending_that_cannot_exist() {
    for v in vectors("transfer_cannot_exist") {
        v.expect("id", TransferId::CANNOT_EXIST);
    }
}

#[test]
fn a_gasless_withdrawal_is_read_back_from_its_main_leg() {
    for v in vectors("user_data_withdrawal") {
        let id = v.hash("id");
        let data = UserData::withdrawal(id, UnixSeconds(v.number("deadline")));
        let main = TransferId::gasless(Role::Main, id);
        v.expect("gasless_main_id", main);
        assert_eq!(data.gasless_withdrawal(main), id);
    }
}

#[test]
fn user_data_of_intents_approvals_and_honoring() {
    for v in vectors("user_data_intent") {
        let expires_at = Millis(v.number("expires_at_ms"));
        v.expect_data(UserData::intent(v.hash("digest"), expires_at, line(&v)));
    }
    for v in vectors("user_data_approved") {
        v.expect_data(UserData::approved(v.hash("approval_digest")));
    }
    for v in vectors("user_data_honored") {
        v.expect_data(UserData::honored(v.hash("digest"), line(&v), v.number("agent")));
    }
}
