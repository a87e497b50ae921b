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
    /// @notice What one token's payouts are held to.
    /// @param maxPayout largest single payout, token units; at most `budgetCapacity`
    /// @param queueAbove larger payouts wait in the queue, token units; the largest uint128 for none
    /// @param budgetCapacity what can be paid out at once when nothing was paid for a while, token
    /// units
    /// @param budgetPeriod seconds in which an empty budget refills, a year at most: in any time T
    /// at most `budgetCapacity * (1 + T / budgetPeriod)` leaves the vault
    struct PayoutLimits {
        uint128 maxPayout;
        uint128 queueAbove;
        uint128 budgetCapacity;
        uint32 budgetPeriod;
    }

    /// @notice What a listing says about a token.
    /// @param token ERC-20 address, or 0xEeee…EEeE for ether
    /// @param ledger its ledger number, for ever
    /// @param scaleDivisor token units in one ledger unit, a power of ten, for ever
    /// @param creditsMeasuredDelta whether the token may take a fee on the way in, for ever
    /// @param minDeposit smallest deposit, token units
    /// @param minWithdrawal smallest withdrawal, token units
    /// @param depositCap deposits stop where `accounted` would exceed this many token units
    /// @param payouts what its payouts are held to
    struct ListingConfig {
        address token;
        uint32 ledger;
        uint128 scaleDivisor;
        bool creditsMeasuredDelta;
        uint128 minDeposit;
        uint128 minWithdrawal;
        uint128 depositCap;
        PayoutLimits payouts;
    }

    /// @notice A transfer that its payer signed for Permit2; its permitted amount is the deposit's.
    /// @param from who signed and pays
    /// @param nonce Permit2's, unordered
    /// @param deadline Unix seconds
    struct SignedTransfer {
        address from;
        uint256 nonce;
        uint256 deadline;
        bytes signature;
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
        PayoutLimits payouts;
    }

    /// @notice Everything a new vault is told.
    /// @param admin lists tokens, sets signers and limits, lifts pauses; in production a timelock
    /// @param adminDelay seconds before a handover of the admin role may be accepted
    /// @param looseningDelay seconds between announcing a change that loosens a limit and making
    /// it; 0 lets the admin make it at once
    /// @param pauser may pause, and nothing else; zero for none
    /// @param guardian may veto queued payouts; zero for none
    /// @param signers payout signers, ascending
    /// @param threshold how many of them must sign
    /// @param minDeadline seconds from a request to its earliest deadline
    /// @param maxDeadline seconds from now to the latest deadline that is accepted
    /// @param maxOpenWithdrawals requests an owner may have open at a time
    /// @param queueWindow seconds that a large payout waits
    /// @param queueWindowBlocks blocks that it waits besides
    /// @param queueLifetime seconds after the window in which it can be finalized
    /// @param listings tokens listed from the first block
    struct VaultConfig {
        address admin;
        uint48 adminDelay;
        uint48 looseningDelay;
        address pauser;
        address guardian;
        address[] signers;
        uint256 threshold;
        uint64 minDeadline;
        uint64 maxDeadline;
        uint32 maxOpenWithdrawals;
        uint32 queueWindow;
        uint32 queueWindowBlocks;
        uint32 queueLifetime;
        ListingConfig[] listings;
    }

    /// @notice What was fixed when the vault was made; the meanings are those of `VaultConfig`.
    struct Settings {
        uint64 minDeadline;
        uint64 maxDeadline;
        uint32 maxOpenWithdrawals;
        uint48 looseningDelay;
        uint32 queueWindow;
        uint32 queueWindowBlocks;
        uint32 queueLifetime;
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

    /// @notice The payout limits of a token are now these.
    event PayoutLimitsSet(
        address indexed token,
        uint128 maxPayout,
        uint128 queueAbove,
        uint128 budgetCapacity,
        uint32 budgetPeriod
    );

    /// @notice The admin may make this change from `readyAt` on.
    /// @param change Keccak-256 of `call`
    /// @param call the calldata of the change, whole
    event ChangeAnnounced(bytes32 indexed change, uint64 readyAt, bytes call);

    /// @notice The change is not announced any more.
    event ChangeRetracted(bytes32 indexed change);

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

    /// @notice As `deposit`, with the token's own EIP-2612 permit of the caller instead of an
    /// approval.
    /// @dev The allowance decides, not the permit: a permit that somebody else used up before does
    /// no harm, and a token that swallows the call gives nothing.
    /// @param permitDeadline the permit's own deadline, Unix seconds
    function depositWithPermit(
        address token,
        uint128 amount,
        address owner,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice As `deposit`, from an account that signed a Permit2 transfer; anybody may submit it.
    /// @dev The signature covers the beneficiary as Permit2's witness `VaultDeposit(address owner)`,
    /// so nobody can turn it to their own credit.
    /// @param owner who is credited
    function depositWithPermit2(
        address token,
        uint128 amount,
        address owner,
        SignedTransfer calldata transfer
    ) external;

    // ---------------------------------------------------------------- withdrawals

    /// @notice Asks for a withdrawal from the caller's ledger balance.
    /// @param deadline Unix seconds; after it nothing is paid, and `cancelExpired` closes the
    /// request
    /// @return id the EIP-712 digest of the request with `nonce` = the event's `seq`
    function requestWithdrawal(address token, address to, uint128 amount, uint64 deadline)
        external
        returns (bytes32 id);

    /// @notice Pays one withdrawal under a signed root, or queues it if it is large; anybody may
    /// submit it.
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

    /// @notice Pays a queued payout after its window and before its expiry; anybody may.
    function finalize(Kind kind, Withdrawal calldata withdrawal) external;

    /// @notice Refuses a queued payout; the owner's ledger balance stays theirs. For the guardian.
    function veto(Kind kind, Withdrawal calldata withdrawal) external;

    /// @notice Closes an expired request, or a queued payout after its own expiry; anybody may.
    /// Never paused.
    function cancelExpired(Kind kind, Withdrawal calldata withdrawal) external;

    /// @notice Sends what deferred payouts left for the caller to any address. Never paused.
    /// @return amount what was sent
    function claim(address token, address to) external returns (uint128 amount);

    /// @notice Makes one of the caller's intent nonces unusable: no intent with it will be paid.
    /// @dev The ledger's reservation, if any, is released when the intent's deadline has passed.
    function invalidateNonce(uint256 nonce) external;

    /// @notice Moves tokens out of the vault; the vault calls it on itself, so that a push that
    /// fails undoes itself.
    /// @dev Its selector is the lowest of all, so that the call finds it first.
    function disburseTokens(address token, address to, uint256 amount) external;

    // ---------------------------------------------------------------- administration

    /// @notice Announces a change that loosens a limit: the admin may make it with exactly this
    /// calldata once `looseningDelay` has passed, and for 14 days after that.
    /// @dev Where the delay is 0 nothing needs to be announced.
    /// @return change Keccak-256 of `call`
    function announce(bytes calldata call) external returns (bytes32 change);

    /// @notice Takes an announcement back.
    function retract(bytes32 change) external;

    /// @notice Lists a token, or opens a delisted one again with its write-once values unchanged.
    /// Needs an announcement.
    function listToken(ListingConfig calldata config) external;

    /// @notice Stops deposits of a token. Its ledger number stays taken and withdrawals go on.
    function delistToken(address token) external;

    /// @notice Sets a token's adjustable limits. The minimum withdrawal only goes down. A smaller
    /// minimum deposit or a higher cap needs an announcement.
    function setLimits(address token, uint128 minDeposit, uint128 minWithdrawal, uint128 depositCap)
        external;

    /// @notice Sets what a token's payouts are held to. Anything larger, later or faster than
    /// before needs an announcement.
    /// @dev What was spent of the budget stays spent, as a share of its period.
    function setPayoutLimits(address token, PayoutLimits calldata limits) external;

    /// @notice Replaces the payout signers and their threshold as a whole. Anything but removing
    /// signers or raising the threshold needs an announcement.
    /// @param signers ascending, without zero
    function setSigners(address[] calldata signers, uint256 threshold) external;

    /// @notice Pauses deposits for three days.
    function pauseDeposits() external;

    /// @notice Pauses payouts for three days. Claims, refusals and cancellations go on.
    function pausePayouts() external;

    /// @notice Lifts the pause of deposits. Needs an announcement.
    function unpauseDeposits() external;

    /// @notice Lifts the pause of payouts. Needs an announcement.
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

    /// @notice What the token's payout budget has left, in token units.
    function payoutBudget(address token) external view returns (uint128);

    /// @notice When a queued payout can be finalized, and until when; zeros for any other state.
    /// @return finalizeAfter from this time on, Unix seconds
    /// @return finalizeAfterBlock and from this block on
    /// @return expiresAt up to this time, Unix seconds
    function queuedUntil(bytes32 id)
        external
        view
        returns (uint64 finalizeAfter, uint64 finalizeAfterBlock, uint64 expiresAt);

    /// @notice From when an announced change can be made, Unix seconds; 0 if it is not announced.
    function announcedFor(bytes32 change) external view returns (uint64);

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

    /// @notice What was fixed when the vault was made.
    function settings() external view returns (Settings memory);
}
