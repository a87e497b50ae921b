// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVaultTypes} from "./IVaultTypes.sol";

/// @title Errors of the SOVR vault
/// @notice The name says what is wrong or what to do instead, the arguments carry the numbers
/// needed to do it. In a batch the same errors appear, encoded, in the `fault` of `PayoutSkipped`
/// and `RefusalSkipped`.
interface IVaultErrors is IVaultTypes {
    // ---------------------------------------------------------------- addresses and calls

    /// @notice Ether sent without a beneficiary cannot be credited to anybody: call
    /// `depositEther(owner)`.
    error UseDepositEther();

    /// @notice Ether is no ERC-20: call `depositEther(owner)`.
    error EtherIsNotErc20();

    /// @notice The beneficiary is the zero address: name the account to credit.
    error OwnerIsZero();

    /// @notice Funds can go neither to the zero address nor to the vault itself: choose another
    /// recipient.
    error RecipientNotAllowed(address to);

    /// @notice Only the vault itself may call this function.
    error OnlyVault(address caller);

    // ---------------------------------------------------------------- listing

    /// @notice The token has no listing: it can be neither deposited nor withdrawn.
    error TokenNotListed(address token);

    /// @notice Deposits of this token were stopped; withdrawals still work.
    error TokenDepositsStopped(address token);

    /// @notice Nothing to delist: deposits of this token are stopped already.
    error TokenAlreadyDelisted(address token);

    /// @notice The token is listed and open: nothing to do.
    error TokenAlreadyListed(address token);

    /// @notice No contract lives at the token's address.
    error TokenHasNoCode(address token);

    /// @notice Ledger numbers are at least `lowest` and at most `highest`.
    error LedgerOutOfRange(uint32 ledger, uint32 lowest, uint32 highest);

    /// @notice The ledger belongs to another token for ever: choose a free number.
    error LedgerTaken(uint32 ledger, address token);

    /// @notice Ledger, scale divisor and the measured-delta flag cannot change once listed: repeat
    /// them unchanged.
    error ListingIsWriteOnce(
        address token, uint32 ledger, uint128 scaleDivisor, bool creditsMeasuredDelta
    );

    /// @notice The scale divisor must be a power of ten up to 1e38: 1 where ledger units are token
    /// units.
    error ScaleDivisorNotPowerOfTen(address token, uint128 scaleDivisor);

    /// @notice A minimum is zero: use the scale divisor or more, so that nothing empty moves.
    error MinimumIsZero(address token);

    /// @notice Round the limit: without its trailing zeros it must be at most `largest`.
    error LimitTooPrecise(uint128 limit, uint256 largest);

    /// @notice The largest payout must be at least the minimum withdrawal and at most the budget's
    /// capacity.
    error PayoutMaximumOutOfRange(
        address token, uint128 maximum, uint128 minWithdrawal, uint128 capacity
    );

    /// @notice The minimum withdrawal only ever goes down, else small balances could be locked in.
    error MinWithdrawalOnlyGoesDown(address token, uint128 current, uint128 wanted);

    // ---------------------------------------------------------------- amounts

    /// @notice Raise the deposit to `minimum` token units.
    error DepositBelowMinimum(address token, uint128 amount, uint128 minimum);

    /// @notice The vault takes only `room` more token units of this token for now.
    error DepositCapReached(address token, uint128 amount, uint128 room);

    /// @notice The amount must be a multiple of `scaleDivisor`: the ledger has no smaller unit.
    error AmountNotDivisible(address token, uint128 amount, uint128 scaleDivisor);

    /// @notice The amount does not fit 128 bits.
    error AmountTooLarge(uint256 amount);

    /// @notice The vault received something else than `amount`: the token takes a fee or
    /// misreports.
    error ReceivedOtherAmount(address token, uint128 amount, uint256 received);

    /// @notice Less arrived than `minReceived`: lower it, or send more.
    error ReceivedTooLittle(address token, uint256 received, uint128 minReceived);

    /// @notice The token is not listed as one that takes fees: call `deposit`.
    error UseDeposit(address token);

    /// @notice Raise the withdrawal to `minimum` token units.
    error WithdrawalBelowMinimum(address token, uint128 amount, uint128 minimum);

    /// @notice The withdrawal exceeds the largest single payout: split it.
    error WithdrawalAboveMaximum(address token, uint128 amount, uint128 maximum);

    /// @notice The token's payout budget refills over time: only `available` is left now.
    error PayoutBudgetExhausted(address token, uint128 amount, uint128 available);

    /// @notice A payout budget of zero would stop payouts for ever: give it capacity and a refill
    /// that takes a year at most.
    error PayoutBudgetIsZero(address token);

    /// @notice The vault holds less than the payout needs.
    error AccountedTooLow(address token, uint128 accounted, uint128 amount);

    /// @notice Nothing is left to claim for this token and owner.
    error NothingToClaim(address token, address owner);

    // ---------------------------------------------------------------- withdrawals

    /// @notice Set the deadline at `earliest` or later.
    error DeadlineTooSoon(uint64 deadline, uint64 earliest);

    /// @notice Set the deadline at `latest` or sooner.
    error DeadlineTooFar(uint64 deadline, uint64 latest);

    /// @notice The deadline passed: nothing is paid any more, cancel and ask again.
    error DeadlinePassed(bytes32 id, uint64 deadline);

    /// @notice The withdrawal can be cancelled only after its deadline.
    error DeadlineNotPassed(bytes32 id, uint64 deadline);

    /// @notice Wait until one of the `open` withdrawals is paid, refused or cancelled.
    error TooManyOpenWithdrawals(address owner, uint256 open, uint256 maximum);

    /// @notice In this state the withdrawal cannot be paid. For a request, None means that some
    /// field differs.
    error WithdrawalNotPayable(bytes32 id, Kind kind, State state);

    /// @notice In this state the withdrawal cannot be refused. For a request, None means that some
    /// field differs.
    error WithdrawalNotRefusable(bytes32 id, Kind kind, State state);

    /// @notice In this state the withdrawal cannot be cancelled. None means that some field
    /// differs.
    error WithdrawalNotCancellable(bytes32 id, State state);

    /// @notice The owner's signature over the intent does not hold.
    error OwnerSignatureInvalid(bytes32 id, address owner);

    /// @notice The owner made this nonce unusable.
    error NonceUnusable(address owner, uint256 nonce);

    /// @notice A refusal needs a reason.
    error RefusalReasonMissing(bytes32 id);

    /// @notice Send the transaction with a higher gas limit: the recipient must get its full
    /// allowance.
    error RaiseGasLimit(uint256 needed, uint256 available);

    /// @notice The push to the recipient failed (only ever seen inside the vault's call to itself).
    error PushFailed(address token, address to, uint128 amount);

    // ---------------------------------------------------------------- large payouts

    /// @notice The withdrawal is not waiting in the queue.
    error PayoutNotQueued(bytes32 id, State state);

    /// @notice The window is still open: finalize at `finalizeAfter` (Unix seconds) and at block
    /// `finalizeAfterBlock` or later.
    error PayoutWindowOpen(bytes32 id, uint64 finalizeAfter, uint64 finalizeAfterBlock);

    /// @notice The queued payout expired: cancel it and ask again.
    error PayoutQueueExpired(bytes32 id, uint64 expiresAt);

    /// @notice The queued payout can be cancelled only after `expiresAt`.
    error PayoutQueueNotExpired(bytes32 id, uint64 expiresAt);

    // ---------------------------------------------------------------- quorum

    /// @notice Collect `needed` signatures over the root.
    error SignaturesMissing(uint256 given, uint256 needed);

    /// @notice The signature at `index` is no valid 65-byte signature with a low s.
    error SignatureInvalid(uint256 index);

    /// @notice Sort the signatures by ascending signer address, each signer once.
    error SignersNotAscending(uint256 index, address signer, address previous);

    /// @notice The recovered address is not a payout signer: wrong root, wrong domain or wrong key.
    error SignerUnknown(uint256 index, address signer);

    /// @notice The Merkle proof does not lead from the item to the signed root.
    error ProofInvalid(bytes32 leaf, bytes32 root);

    /// @notice The threshold is at least 1 and at most the number of signers.
    error ThresholdOutOfRange(uint256 threshold, uint256 signers);

    /// @notice There are too many signers: use `maximum` or fewer.
    error TooManySigners(uint256 signers, uint256 maximum);

    /// @notice Sort the signer set by ascending address, without zero and without repeats.
    error SignerSetNotAscending(uint256 index, address signer);

    // ---------------------------------------------------------------- pauses and settings

    /// @notice Deposits are paused at most until `until`.
    error DepositsArePaused(uint64 until);

    /// @notice Payouts are paused at most until `until`; claims and cancellations still work.
    error PayoutsArePaused(uint64 until);

    /// @notice The deadline window must satisfy 0 < minimum < maximum <= limit.
    error DeadlineWindowInvalid(uint64 minimum, uint64 maximum, uint64 limit);

    /// @notice The queue of large payouts needs a window (seconds and blocks) and a lifetime, none
    /// of them 0.
    error QueueSettingsInvalid(uint32 window, uint32 windowBlocks, uint32 lifetime);

    /// @notice The delay of loosening changes is at most `limit` seconds, or they could never be
    /// made.
    error LooseningDelayTooLong(uint48 delay, uint48 limit);

    /// @notice This change loosens the vault's limits: `announce` its exact calldata first, and
    /// wait for the delay.
    error AnnounceFirst(bytes32 change);

    /// @notice The change was announced and can be made at `readyAt` or later.
    error AnnouncementTooYoung(bytes32 change, uint64 readyAt);

    /// @notice The change was announced too long ago: announce it again.
    error AnnouncementExpired(bytes32 change, uint64 expiredAt);

    /// @notice Nothing to retract: the change is not announced.
    error NotAnnounced(bytes32 change);

    /// @notice Owners must be allowed at least one open withdrawal.
    error OpenWithdrawalsCapIsZero();

    // ---------------------------------------------------------------- signed deposits

    /// @notice After the permit the allowance is still too low: the token has no permit, or it was
    /// for another amount.
    error PermitLeftAllowanceTooLow(address token, address from, uint256 allowance, uint128 amount);
}
