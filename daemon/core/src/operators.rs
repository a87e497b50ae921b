//! What operators sign (`docs/encoding.md`, section 7).

use alloy_sol_types::sol;

sol! {
    #![sol(all_derives)]

    /// An approval of one transfer between accounts of one ledger.
    struct ForwardTransfer {
        uint16 code;
        uint32 ledger;
        uint128 debit;
        uint128 credit;
        uint128 amount;
        bool balancing;
        string reason;
        bytes32 nonce;
    }

    /// An approval to close an account, or to open it again.
    struct AccountClosure {
        uint128 account;
        uint32 round;
        bool closed;
        string reason;
    }
}
