// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {SpecBase} from "./SpecBase.sol";

contract WithdrawalsSpecTest is SpecBase {
    // ---------------------------------------------------------------- requestWithdrawal

    function _ask(address token, address to, uint128 amount, uint256 time)
        private
        returns (bytes32)
    {
        vm.prank(alice);
        return vault.requestWithdrawal(token, to, amount, uint64(block.timestamp + time));
    }

    function test_RequestWithdrawal_RevertWhen_TheTokenIsNotListed() external {
        _reverts(TokenNotListed.selector, carol);
        _ask(carol, carol, 1, 1 days);
    }

    function test_RequestWithdrawal_RevertWhen_TheRecipientIsZeroOrTheVault() external {
        _reverts(RecipientNotAllowed.selector, address(0));
        _ask(ETHER, address(0), 1 ether, 1 days);
        _reverts(RecipientNotAllowed.selector, address(vault));
        _ask(ETHER, address(vault), 1 ether, 1 days);
    }

    function test_RequestWithdrawal_RevertWhen_TheAmountIsBelowTheMinimum() external {
        uint128 amount = 0.001 ether - ETHER_DIVISOR;
        _reverts(
            abi.encodeWithSelector(WithdrawalBelowMinimum.selector, ETHER, amount, 0.001 ether)
        );
        _ask(ETHER, carol, amount, 1 days);
    }

    function test_RequestWithdrawal_RevertWhen_TheAmountIsNotDivisible() external {
        _reverts(
            abi.encodeWithSelector(AmountNotDivisible.selector, ETHER, 1 ether + 1, ETHER_DIVISOR)
        );
        _ask(ETHER, carol, 1 ether + 1, 1 days);
    }

    function test_RequestWithdrawal_RevertWhen_TheAmountIsAboveTheLargestPayout() external {
        uint128 amount = 1000 ether + ETHER_DIVISOR;
        _reverts(abi.encodeWithSelector(WithdrawalAboveMaximum.selector, ETHER, amount, 1000 ether));
        _ask(ETHER, carol, amount, 1 days);
        _ask(ETHER, carol, 1000 ether, 1 days);
    }

    function test_RequestWithdrawal_RevertWhen_TheDeadlineIsTooSoon() external {
        uint256 earliest = block.timestamp + MIN_DEADLINE;
        _reverts(abi.encodeWithSelector(DeadlineTooSoon.selector, earliest - 1, earliest));
        _ask(ETHER, carol, 1 ether, MIN_DEADLINE - 1);
        _ask(ETHER, carol, 1 ether, MIN_DEADLINE);
    }

    function test_RequestWithdrawal_RevertWhen_TheDeadlineIsTooFar() external {
        uint256 latest = block.timestamp + MAX_DEADLINE;
        _reverts(abi.encodeWithSelector(DeadlineTooFar.selector, latest + 1, latest));
        _ask(ETHER, carol, 1 ether, MAX_DEADLINE + 1);
        _ask(ETHER, carol, 1 ether, MAX_DEADLINE);
    }

    function test_RequestWithdrawal_RevertGiven_TheOwnerHasTooManyOpen() external {
        for (uint256 i = 0; i < MAX_OPEN; ++i) {
            _ask(ETHER, carol, 1 ether, 1 days);
        }
        _reverts(abi.encodeWithSelector(TooManyOpenWithdrawals.selector, alice, MAX_OPEN, MAX_OPEN));
        _ask(ETHER, carol, 1 ether, 1 days);
    }

    function test_RequestWithdrawal_WhenNothingStandsInTheWay() external {
        // it should emit WithdrawalRequested with the id of its fields
        uint64 deadline = uint64(block.timestamp) + 1 days;
        bytes32 id = _id(Kind.Request, Withdrawal(alice, carol, ETHER, 1 ether, 0, 3, deadline));
        _expectEvent();
        emit WithdrawalRequested(id, ETHER, alice, 3, carol, 1 ether, deadline, 1001);
        assertEq(_ask(ETHER, carol, 1 ether, 1 days), id);
        // it should be Requested and counted
        _assertState(id, State.Requested);
        assertEq(vault.openWithdrawals(alice), 1);
    }

    // ---------------------------------------------------------------- refuse

    function test_Refuse_RevertWhen_SignaturesAreMissing() external {
        (Withdrawal memory w,) = _smallRequest();
        _reverts(abi.encodeWithSelector(SignaturesMissing.selector, 0, 2));
        vault.refuse(_refusalItem(Kind.Request, w, RefusalReason.Operator), new bytes[](0));
    }

    function test_Refuse_RevertWhen_TheReasonIsMissing() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _reverts(abi.encodeWithSelector(RefusalReasonMissing.selector, id));
        this.refuse(_refusalItem(Kind.Request, w, RefusalReason.Unspecified));
    }

    function test_Refuse_RevertGiven_TheIdHasEnded() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _payout(_requestItem(w));
        _reverts(_notRefusable(id, State.Paid));
        this.refuse(_refusalItem(Kind.Request, w, RefusalReason.Operator));
    }

    function test_Refuse_RevertGiven_TheIdIsQueued() external {
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        _reverts(_notRefusable(id, State.Queued));
        this.refuse(_refusalItem(Kind.Request, w, RefusalReason.Operator));
    }

    function test_Refuse_GivenTheRequestIsOpen() external {
        // it should be Refused and not counted any more
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _expectEvent();
        emit Refused(id, ETHER, alice, 5, Kind.Request, w.nonce, RefusalReason.AccountFrozen);
        _refuse(_refusalItem(Kind.Request, w, RefusalReason.AccountFrozen));
        _assertState(id, State.Refused);
        assertEq(vault.openWithdrawals(alice), 0);
        assertEq(vault.accounted(ETHER), 900 ether);
    }

    /// @dev In a call of its own, so that signing is not taken for the call that must revert.
    function refuse(RefusalItem calldata item) external {
        bytes[] memory signatures = _refusalQuorum(_refusalLeaf(item));
        vault.refuse(item, signatures);
    }

    function _notRefusable(bytes32 id, State state) private pure returns (bytes memory) {
        return abi.encodeWithSelector(WithdrawalNotRefusable.selector, id, Kind.Request, state);
    }

    // ---------------------------------------------------------------- refuseBatch

    function test_RefuseBatch_WhenAnItemIsNotUnderTheRoot() external {
        // it should skip it
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        RefusalItem[] memory items = new RefusalItem[](1);
        items[0] = _refusalItem(Kind.Request, w, RefusalReason.Operator);
        bytes32 root = keccak256("another");
        bytes[] memory signatures = _refusalQuorum(root);
        _expectEvent();
        emit IVault.RefusalSkipped(
            id, abi.encodeWithSelector(ProofInvalid.selector, _refusalLeaf(items[0]), root)
        );
        vault.refuseBatch(items, root, signatures);
        _assertState(id, State.Requested);
    }

    function test_RefuseBatch_WhenAnItemCannotBeRefused() external {
        // it should skip it and refuse the others
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        RefusalItem[] memory items = new RefusalItem[](2);
        Withdrawal memory never = _intent(alice, ETHER, carol, 1 ether, 9);
        items[0] = _refusalItem(Kind.Request, never, RefusalReason.Operator);
        items[1] = _refusalItem(Kind.Request, w, RefusalReason.Operator);
        bytes32 root = _prove(items);
        bytes[] memory signatures = _refusalQuorum(root);
        bytes32 neverId = _id(Kind.Request, never);
        _expectEvent();
        emit IVault.RefusalSkipped(neverId, _notRefusable(neverId, State.None));
        vault.refuseBatch(items, root, signatures);
        _assertState(id, State.Refused);
    }

    // ---------------------------------------------------------------- cancelExpired

    function test_CancelExpired_RevertWhen_TheDeadlineHasNotPassed() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        vm.warp(w.deadline);
        _reverts(DeadlineNotPassed.selector, id, w.deadline);
        vault.cancelExpired(Kind.Request, w);
    }

    function test_CancelExpired_RevertGiven_TheQueuedPayoutHasNotExpired() external {
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        (,, uint64 expires) = vault.queuedUntil(id);
        vm.warp(expires);
        _reverts(PayoutQueueNotExpired.selector, id, expires);
        vault.cancelExpired(Kind.Request, w);
    }

    function _notCancellable(bytes32 id, State state) private pure returns (bytes memory) {
        return abi.encodeWithSelector(WithdrawalNotCancellable.selector, id, state);
    }

    function test_CancelExpired_RevertGiven_TheIdHasNoState() external {
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 1);
        vm.warp(uint256(w.deadline) + 1);
        _reverts(_notCancellable(_id(Kind.Intent, w), State.None));
        vault.cancelExpired(Kind.Intent, w);
    }

    function test_CancelExpired_RevertGiven_TheIdHasEnded() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _payout(_requestItem(w));
        vm.warp(uint256(w.deadline) + 1);
        _reverts(_notCancellable(id, State.Paid));
        vault.cancelExpired(Kind.Request, w);
    }

    function test_CancelExpired_GivenTheQueuedPayoutHasExpired() external {
        // it should be Cancelled
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        (,, uint64 expires) = vault.queuedUntil(id);
        vm.warp(uint256(expires) + 1);
        vault.cancelExpired(Kind.Request, w);
        _assertState(id, State.Cancelled);
        assertEq(vault.openWithdrawals(alice), 0);
        assertEq(vault.accounted(ETHER), 900 ether);
    }

    function test_CancelExpired_GivenTheRequestHasExpired() external {
        // it should be Cancelled even while payouts are paused
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        vm.warp(uint256(w.deadline) + 1);
        _pauseBoth();
        _expectEvent();
        emit Cancelled(id, ETHER, alice, 5, Kind.Request, w.nonce);
        vm.prank(relayer);
        vault.cancelExpired(Kind.Request, w);
        _assertState(id, State.Cancelled);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    // ---------------------------------------------------------------- claim

    function _defer() private {
        _depositEther(alice, 10 ether);
        (Withdrawal memory w,) = _request(alice, ETHER, rejecter, 2 ether);
        _payout(_requestItem(w));
    }

    function test_Claim_RevertWhen_TheRecipientIsZeroOrTheVault() external {
        _defer();
        vm.startPrank(alice);
        _reverts(RecipientNotAllowed.selector, address(0));
        vault.claim(ETHER, address(0));
        _reverts(RecipientNotAllowed.selector, address(vault));
        vault.claim(ETHER, address(vault));
        vm.stopPrank();
    }

    function test_Claim_RevertGiven_NothingIsOwed() external {
        _defer();
        _reverts(abi.encodeWithSelector(NothingToClaim.selector, ETHER, bob));
        vm.prank(bob);
        vault.claim(ETHER, bob);
    }

    function test_Claim_RevertWhen_TheRecipientRefuses() external {
        _defer();
        _reverts(abi.encodeWithSelector(PushFailed.selector, ETHER, rejecter, 2 ether));
        vm.prank(alice);
        vault.claim(ETHER, rejecter);
        assertEq(vault.claimable(ETHER, alice), 2 ether);
    }

    function test_Claim_GivenSomethingIsOwed() external {
        // it should send all of it once
        _defer();
        _pauseBoth();
        _expectEvent();
        emit Claimed(ETHER, alice, carol, 6, 2 ether);
        vm.startPrank(alice);
        assertEq(vault.claim(ETHER, carol), 2 ether);
        _reverts(abi.encodeWithSelector(NothingToClaim.selector, ETHER, alice));
        vault.claim(ETHER, carol);
        vm.stopPrank();
        assertEq(carol.balance, 2 ether);
        assertEq(vault.claimableTotal(ETHER), 0);
    }

    // ---------------------------------------------------------------- invalidateNonce

    function test_InvalidateNonce_RevertGiven_TheNonceIsSpoiled() external {
        vm.startPrank(alice);
        vault.invalidateNonce(300);
        _reverts(abi.encodeWithSelector(NonceUnusable.selector, alice, 300));
        vault.invalidateNonce(300);
        vm.stopPrank();
    }

    function test_InvalidateNonce_GivenTheNonceIsFresh() external {
        // it should spoil it for its owner only
        _expectEvent();
        emit NonceInvalidated(alice, 300, 3);
        vm.prank(alice);
        vault.invalidateNonce(300);
        assertTrue(vault.nonceInvalidated(alice, 300));
        assertFalse(vault.nonceInvalidated(alice, 44));
        assertFalse(vault.nonceInvalidated(alice, 299));
        assertFalse(vault.nonceInvalidated(alice, 301));
        assertFalse(vault.nonceInvalidated(bob, 300));
        vm.prank(alice);
        vault.invalidateNonce(301);
        assertTrue(vault.nonceInvalidated(alice, 300));
    }

    // ---------------------------------------------------------------- disburseTokens

    function test_DisburseTokens_RevertWhen_TheCallerIsNotTheVault() external {
        _defer();
        _reverts(OnlyVault.selector, alice);
        vm.prank(alice);
        vault.disburseTokens(ETHER, alice, 1 ether);
    }
}
