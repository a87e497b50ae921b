// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVaultErrors} from "./IVaultErrors.sol";
import {IVaultEvents} from "./IVaultEvents.sol";

/// @title The SOVR vault
/// @notice Holds ether and listed ERC-20 tokens for a double-entry ledger that runs elsewhere.
/// Deposits raise a beneficiary's balance in that ledger; withdrawals leave with k of n payout
/// signatures.
/// @dev A plain `transfer` of tokens to the vault is a donation: it is credited to nobody and
/// cannot be returned.
interface IVault is IVaultEvents, IVaultErrors {
    /// @notice What a listing says about a token.
    /// @param token ERC-20 address, or 0xEeee…EEeE for ether
    /// @param ledger its ledger number, for ever
    /// @param scaleDivisor token units in one ledger unit, for ever
    /// @param creditsMeasuredDelta whether the token may take a fee on the way in, for ever
    /// @param minDeposit smallest deposit, token units
    /// @param minWithdrawal smallest withdrawal, token units
    /// @param depositCap deposits stop where `accounted` would exceed this many token units
    struct ListingConfig {
        address token;
        uint32 ledger;
        uint128 scaleDivisor;
        bool creditsMeasuredDelta;
        uint128 minDeposit;
        uint128 minWithdrawal;
        uint128 depositCap;
    }

    /// @notice A token's listing and its books, as stored. `ledger` 0 means never listed.
    /// @param depositsOpen false after a delisting
    /// @param accounted what the ledger may count on: deposits − payouts (deferred ones included),
    /// token units
    /// @param claimableTotal what deferred payouts left for their owners, token units
    struct Listing {
        uint32 ledger;
        bool depositsOpen;
        bool creditsMeasuredDelta;
        uint128 scaleDivisor;
        uint128 minDeposit;
        uint128 minWithdrawal;
        uint128 depositCap;
        uint128 accounted;
        uint128 claimableTotal;
    }

    /// @notice Everything a new vault is told.
    /// @param admin lists tokens, sets signers and limits, lifts pauses; in production a timelock
    /// @param adminDelay seconds before a handover of the admin role may be accepted
    /// @param pauser may pause, and nothing else; zero for none
    /// @param guardian may veto queued payouts; zero for none
    /// @param signers payout signers, ascending
    /// @param threshold how many of them must sign
    /// @param minDeadline seconds from a request to its earliest deadline
    /// @param maxDeadline seconds from now to the latest deadline that is accepted
    /// @param maxOpenWithdrawals requests an owner may have open at a time
    /// @param listings tokens listed from the first block
    struct VaultConfig {
        address admin;
        uint48 adminDelay;
        address pauser;
        address guardian;
        address[] signers;
        uint256 threshold;
        uint64 minDeadline;
        uint64 maxDeadline;
        uint32 maxOpenWithdrawals;
        ListingConfig[] listings;
    }

    // ---------------------------------------------------------------- events outside the sequence

    /// @notice A batch left this payout aside; the transaction changed nothing about it.
    /// @param fault the encoded error that `payout` would have reverted with
    event PayoutSkipped(bytes32 indexed id, bytes fault);

    /// @notice A batch left this refusal aside; the transaction changed nothing about it.
    /// @param fault the encoded error that `refuse` would have reverted with
    event RefusalSkipped(bytes32 indexed id, bytes fault);

    /// @notice The payout signers are now these, and `threshold` of them must sign.
    event SignersSet(address[] signers, uint256 threshold);

    /// @notice The adjustable limits of a token are now these.
    event LimitsSet(
        address indexed token, uint128 minDeposit, uint128 minWithdrawal, uint128 depositCap
    );

    /// @notice Deposits stop until `until`, or until the admin lifts the pause.
    event DepositsPaused(address indexed by, uint64 until);

    /// @notice The admin lifted the pause of deposits.
    event DepositsUnpaused(address indexed by);

    /// @notice Payouts stop until `until`, or until the admin lifts the pause.
    event PayoutsPaused(address indexed by, uint64 until);

    /// @notice The admin lifted the pause of payouts.
    event PayoutsUnpaused(address indexed by);

    // ---------------------------------------------------------------- deposits

    /// @notice Deposits the ether sent along for `owner`.
    function depositEther(address owner) external payable;

    /// @notice Deposits exactly `amount` of an ERC-20 token, approved beforehand, for `owner`.
    /// @dev Reverts unless exactly `amount` arrives, whatever the listing says.
    function deposit(address token, uint128 amount, address owner) external;

    /// @notice Deposits a token listed as fee-taking: what arrives is credited, but never less than
    /// `minReceived`.
    /// @return received the credited amount
    function depositMeasured(address token, uint128 amount, uint128 minReceived, address owner)
        external
        returns (uint128 received);

    // ---------------------------------------------------------------- withdrawals

    /// @notice Asks for a withdrawal from the caller's ledger balance.
    /// @param deadline Unix seconds; after it nothing is paid, and `cancelExpired` closes the
    /// request
    /// @return id the EIP-712 digest of the request with `nonce` = the event's `seq`
    function requestWithdrawal(address token, address to, uint128 amount, uint64 deadline)
        external
        returns (bytes32 id);

    /// @notice Pays one withdrawal under a signed root; anybody may submit it.
    /// @param signatures over the payout root, by ascending signer
    function payout(PayoutItem calldata item, bytes[] calldata signatures) external;

    /// @notice Pays many withdrawals under one signed root. An item that cannot be paid is skipped.
    function payoutBatch(PayoutItem[] calldata items, bytes32 root, bytes[] calldata signatures)
        external;

    /// @notice Refuses one withdrawal under a signed root; the owner's ledger balance stays theirs.
    function refuse(RefusalItem calldata item, bytes[] calldata signatures) external;

    /// @notice Refuses many withdrawals under one signed root. An item that cannot be refused is
    /// skipped.
    function refuseBatch(RefusalItem[] calldata items, bytes32 root, bytes[] calldata signatures)
        external;

    /// @notice Closes an expired request; anybody may. Never paused.
    function cancelExpired(Kind kind, Withdrawal calldata withdrawal) external;

    /// @notice Sends what deferred payouts left for the caller to any address. Never paused.
    /// @return amount what was sent
    function claim(address token, address to) external returns (uint128 amount);

    /// @notice Makes one of the caller's intent nonces unusable: no intent with it will be paid.
    /// @dev The ledger's reservation, if any, is released when the intent's deadline has passed.
    function invalidateNonce(uint256 nonce) external;

    /// @notice Moves funds out of the vault; the vault calls it on itself, so that a failed push
    /// undoes itself.
    function push(address token, address to, uint128 amount) external;

    // ---------------------------------------------------------------- administration

    /// @notice Lists a token, or opens a delisted one again with its write-once values unchanged.
    function listToken(ListingConfig calldata config) external;

    /// @notice Stops deposits of a token. Its ledger number stays taken and withdrawals go on.
    function delistToken(address token) external;

    /// @notice Sets a token's adjustable limits. The minimum withdrawal only goes down.
    function setLimits(address token, uint128 minDeposit, uint128 minWithdrawal, uint128 depositCap)
        external;

    /// @notice Replaces the payout signers and their threshold as a whole.
    /// @param signers ascending, without zero
    function setSigners(address[] calldata signers, uint256 threshold) external;

    /// @notice Pauses deposits for `PAUSE_PERIOD`.
    function pauseDeposits() external;

    /// @notice Pauses payouts for `PAUSE_PERIOD`. Claims, refusals and cancellations go on.
    function pausePayouts() external;

    /// @notice Lifts the pause of deposits.
    function unpauseDeposits() external;

    /// @notice Lifts the pause of payouts.
    function unpausePayouts() external;

    // ---------------------------------------------------------------- views

    /// @notice The number of the last ledger-relevant event; 0 before the first.
    function lastSeq() external view returns (uint64);

    /// @notice Where in its life a withdrawal is.
    function stateOf(bytes32 id) external view returns (State);

    /// @notice What the ledger may count on, in token units.
    function accounted(address token) external view returns (uint128);

    /// @notice What deferred payouts left for `owner`, in token units.
    function claimable(address token, address owner) external view returns (uint128);

    /// @notice What deferred payouts left for all owners together, in token units.
    function claimableTotal(address token) external view returns (uint128);

    /// @notice A token's listing and books.
    function listingOf(address token) external view returns (Listing memory);

    /// @notice The token that has this ledger number, or zero.
    function tokenOf(uint32 ledger) external view returns (address);

    /// @notice How many requests of `owner` are open.
    function openWithdrawals(address owner) external view returns (uint256);

    /// @notice Whether `owner` made `nonce` unusable for intents.
    function nonceInvalidated(address owner, uint256 nonce) external view returns (bool);

    /// @notice The id of a withdrawal: its EIP-712 digest.
    function withdrawalId(Kind kind, Withdrawal calldata withdrawal) external view returns (bytes32);

    /// @notice The Merkle leaf that stands for paying `id`.
    function payoutLeaf(Kind kind, bytes32 id) external pure returns (bytes32);

    /// @notice The Merkle leaf that stands for refusing `id`.
    function refusalLeaf(bytes32 id, RefusalReason reason) external pure returns (bytes32);

    /// @notice What payout signers sign to pay everything under `root`.
    function payoutRootDigest(bytes32 root) external view returns (bytes32);

    /// @notice What payout signers sign to refuse everything under `root`.
    function refusalRootDigest(bytes32 root) external view returns (bytes32);

    /// @notice The EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);

    /// @notice The payout signers, ascending.
    function signers() external view returns (address[] memory);

    /// @notice Whether `account` is a payout signer.
    function isSigner(address account) external view returns (bool);

    /// @notice How many payout signatures a root needs.
    function threshold() external view returns (uint256);

    /// @notice Deposits are paused while the block's time is before this.
    function depositsPausedUntil() external view returns (uint64);

    /// @notice Payouts are paused while the block's time is before this.
    function payoutsPausedUntil() external view returns (uint64);

    /// @notice Seconds from a request to its earliest deadline.
    function minDeadline() external view returns (uint64);

    /// @notice Seconds from now to the latest accepted deadline.
    function maxDeadline() external view returns (uint64);

    /// @notice Requests an owner may have open at a time.
    function maxOpenWithdrawals() external view returns (uint32);
}
