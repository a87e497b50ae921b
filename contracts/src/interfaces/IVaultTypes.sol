// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Types of the SOVR vault
/// @notice Kind, states and structures that the vault, the daemon and integrators share.
interface IVaultTypes {
    /// @notice How a withdrawal was asked for; its id is an EIP-712 digest of a type of its own for
    /// each kind.
    enum Kind {
        Request,
        Intent
    }

    /// @notice The one-way life of a withdrawal id.
    /// @dev None → Requested → (Queued →) exactly one of Paid, Deferred, Refused, Cancelled.
    /// Intents start from None.
    enum State {
        None,
        Requested,
        Queued,
        Paid,
        Deferred,
        Refused,
        Cancelled
    }

    /// @notice Why the payout signers' quorum refused a withdrawal.
    enum RefusalReason {
        Unspecified,
        InsufficientFunds,
        AccountFrozen,
        AddressMismatch,
        VaultShort,
        Vetoed,
        Operator
    }

    /// @notice A withdrawal, whole: its id commits to every field.
    /// @param owner whose balance pays, and who may claim a deferred payout
    /// @param to who receives
    /// @param token ERC-20 address, or 0xEeee…EEeE for ether
    /// @param amount token units that leave the vault towards `to`
    /// @param fee token units owed besides; they stay in the vault (always 0 for requests)
    /// @param nonce the `seq` of the request, or a number the owner chose for an intent
    /// @param deadline Unix seconds; nothing is paid, deferred or queued after it
    struct Withdrawal {
        address owner;
        address to;
        address token;
        uint128 amount;
        uint128 fee;
        uint256 nonce;
        uint64 deadline;
    }

    /// @notice One payout and its proof under a signed root.
    /// @param kind request or intent
    /// @param withdrawal all fields
    /// @param ownerSignature the owner's own signature over an intent; empty for a request
    /// @param proof Merkle proof of the payout leaf; empty where the leaf is the root
    struct PayoutItem {
        Kind kind;
        Withdrawal withdrawal;
        bytes ownerSignature;
        bytes32[] proof;
    }

    /// @notice One refusal and its proof under a signed root.
    struct RefusalItem {
        Kind kind;
        Withdrawal withdrawal;
        RefusalReason reason;
        bytes32[] proof;
    }
}
