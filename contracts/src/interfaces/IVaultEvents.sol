// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVaultTypes} from "./IVaultTypes.sol";

/// @title Ledger-relevant events of the SOVR vault
/// @notice Every event here carries one number of the contiguous sequence `seq`, starting at 1:
/// whoever has all numbers up to `lastSeq()` has the whole story, and a missing number proves a
/// missing event.
interface IVaultEvents is IVaultTypes {
    /// @notice Funds arrived for `owner`.
    /// @param amount token units, measured, a multiple of the listing's scale divisor
    event Deposited(
        uint64 indexed seq,
        address indexed token,
        address indexed owner,
        address from,
        uint128 amount,
        uint32 ledger
    );

    /// @notice `owner` asked for a withdrawal; the id commits to all fields with `nonce = seq` and
    /// `fee = 0`.
    event WithdrawalRequested(
        bytes32 indexed id,
        address indexed token,
        address indexed owner,
        uint64 seq,
        address to,
        uint128 amount,
        uint64 deadline,
        uint32 ledger
    );

    /// @notice A large payout waits for its window; the guardian may veto it.
    event PayoutQueued(
        bytes32 indexed id,
        address indexed token,
        address indexed owner,
        uint64 seq,
        Kind kind,
        uint256 nonce,
        address to,
        uint128 amount,
        uint128 fee,
        uint64 finalizeAfter,
        uint64 expiresAt
    );

    /// @notice The guardian vetoed a queued payout: its state is Refused.
    event PayoutVetoed(
        bytes32 indexed id,
        address indexed token,
        address indexed owner,
        uint64 seq,
        Kind kind,
        uint256 nonce
    );

    /// @notice `amount` reached `to`.
    event Paid(
        bytes32 indexed id,
        address indexed token,
        address indexed owner,
        uint64 seq,
        Kind kind,
        uint256 nonce,
        address to,
        uint128 amount,
        uint128 fee
    );

    /// @notice The push to `to` failed; `amount` can be claimed by `owner`. For the ledger this is
    /// a payout.
    event PayoutDeferred(
        bytes32 indexed id,
        address indexed token,
        address indexed owner,
        uint64 seq,
        Kind kind,
        uint256 nonce,
        address to,
        uint128 amount,
        uint128 fee
    );

    /// @notice `owner` took what deferred payouts had left for them.
    event Claimed(
        address indexed token, address indexed owner, address indexed to, uint64 seq, uint128 amount
    );

    /// @notice The payout signers' quorum refused the withdrawal.
    event Refused(
        bytes32 indexed id,
        address indexed token,
        address indexed owner,
        uint64 seq,
        Kind kind,
        uint256 nonce,
        RefusalReason reason
    );

    /// @notice An expired withdrawal was closed.
    event Cancelled(
        bytes32 indexed id,
        address indexed token,
        address indexed owner,
        uint64 seq,
        Kind kind,
        uint256 nonce
    );

    /// @notice `owner` made an intent's nonce unusable.
    event NonceInvalidated(address indexed owner, uint256 indexed nonce, uint64 seq);

    /// @notice `token` can be deposited and has its ledger for ever.
    event TokenListed(
        address indexed token,
        uint32 indexed ledger,
        uint64 seq,
        uint128 scaleDivisor,
        uint8 decimals,
        bool creditsMeasuredDelta
    );

    /// @notice Deposits of `token` stopped; withdrawals go on.
    event TokenDelisted(address indexed token, uint32 indexed ledger, uint64 seq);
}
