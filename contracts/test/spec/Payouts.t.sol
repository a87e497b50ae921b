// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {SpecBase} from "./SpecBase.sol";

contract PayoutsSpecTest is SpecBase {
    // ---------------------------------------------------------------- payout

    function _notPayable(bytes32 id, State state) private pure returns (bytes memory) {
        return abi.encodeWithSelector(WithdrawalNotPayable.selector, id, Kind.Request, state);
    }

    function _limitPayouts(uint128 maxPayout, uint128 capacity) private {
        vm.prank(admin);
        vault.setPayoutLimits(
            ETHER, IVault.PayoutLimits(maxPayout, maxPayout, capacity, BUDGET_PERIOD)
        );
    }

    function test_Payout_RevertWhen_PayoutsArePaused() external {
        (Withdrawal memory w,) = _smallRequest();
        uint64 until = _pauseBoth();
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(w)));
        _reverts(abi.encodeWithSelector(PayoutsArePaused.selector, until));
        vault.payout(_requestItem(w), signatures);
    }

    function test_Payout_RevertWhen_SignaturesAreMissing() external {
        (Withdrawal memory w,) = _smallRequest();
        bytes32 digest = _typedHash("PayoutRoot(bytes32 root)", _payoutLeaf(_requestItem(w)));
        bytes[] memory one = _quorum(digest, 1);
        _reverts(abi.encodeWithSelector(SignaturesMissing.selector, 1, 2));
        vault.payout(_requestItem(w), one);
    }

    function test_Payout_RevertWhen_TheRequestWasNeverMade() external {
        _depositEther(alice, 10 ether);
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 1);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        _reverts(_notPayable(_id(Kind.Request, w), State.None));
        vault.payout(item, signatures);
    }

    function test_Payout_RevertGiven_TheIdHasEnded() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        PayoutItem memory item = _requestItem(w);
        _payout(item);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        _reverts(_notPayable(id, State.Paid));
        vault.payout(item, signatures);
    }

    function test_Payout_RevertWhen_TheDeadlineHasPassed() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.warp(uint256(w.deadline) + 1);
        _reverts(DeadlinePassed.selector, id, w.deadline);
        vault.payout(item, signatures);
        vm.warp(w.deadline);
        vault.payout(item, signatures);
    }

    function test_Payout_RevertGiven_TheLargestPayoutWasLowered() external {
        (Withdrawal memory w,) = _smallRequest();
        _limitPayouts(0.5 ether, 10_000 ether);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(w)));
        _reverts(abi.encodeWithSelector(WithdrawalAboveMaximum.selector, ETHER, 1 ether, 0.5 ether));
        vault.payout(_requestItem(w), signatures);
    }

    function test_Payout_RevertGiven_TheBudgetIsExhausted() external {
        _depositEther(alice, 100 ether);
        _limitPayouts(10 ether, 10 ether);
        (Withdrawal memory first,) = _request(alice, ETHER, carol, 9 ether);
        (Withdrawal memory second,) = _request(alice, ETHER, carol, 2 ether);
        _payout(_requestItem(first));
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(second)));
        _reverts(abi.encodeWithSelector(PayoutBudgetExhausted.selector, ETHER, 2 ether, 1 ether));
        vault.payout(_requestItem(second), signatures);
        // A tenth of the capacity comes back in a tenth of the period.
        vm.warp(block.timestamp + BUDGET_PERIOD / 10);
        vault.payout(_requestItem(second), signatures);
    }

    function test_Payout_RevertGiven_TheVaultHoldsTooLittle() external {
        _depositEther(alice, 0.5 ether);
        (Withdrawal memory w,) = _request(alice, ETHER, carol, 1 ether);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(w)));
        _reverts(abi.encodeWithSelector(AccountedTooLow.selector, ETHER, 0.5 ether, 1 ether));
        vault.payout(_requestItem(w), signatures);
    }

    function test_Payout_RevertWhen_TheOwnerDidNotSignTheIntent() external {
        _depositEther(alice, 10 ether);
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 1);
        PayoutItem memory item = _intentItem(w, bobKey);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        _reverts(abi.encodeWithSelector(OwnerSignatureInvalid.selector, _id(Kind.Intent, w), alice));
        vault.payout(item, signatures);
    }

    function test_Payout_RevertGiven_TheNonceIsSpoiled() external {
        _depositEther(alice, 10 ether);
        vm.prank(alice);
        vault.invalidateNonce(1);
        PayoutItem memory item = _intentItem(_intent(alice, ETHER, carol, 1 ether, 1), aliceKey);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        _reverts(abi.encodeWithSelector(NonceUnusable.selector, alice, 1));
        vault.payout(item, signatures);
    }

    function test_Payout_RevertWhen_TooLittleGasIsGiven() external {
        (Withdrawal memory w,) = _smallRequest();
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(w)));
        vm.expectPartialRevert(RaiseGasLimit.selector);
        vault.payout{gas: 280_000}(_requestItem(w), signatures);
    }

    function test_Payout_WhenTheAmountIsAboveTheThresholdOfTheQueue() external {
        // it should be Queued and draw on the budget only
        _depositEther(alice, 900 ether);
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, LARGE);
        uint128 budget = vault.payoutBudget(ETHER);
        uint64 opens = uint64(block.timestamp) + QUEUE_WINDOW;
        _expectEvent();
        emit PayoutQueued(
            id,
            ETHER,
            alice,
            4 + 1,
            Kind.Request,
            w.nonce,
            carol,
            LARGE,
            0,
            opens,
            opens + QUEUE_LIFETIME
        );
        _payout(_requestItem(w));
        _assertState(id, State.Queued);
        assertEq(vault.accounted(ETHER), 900 ether);
        assertEq(carol.balance, 0);
        assertApproxEqAbs(vault.payoutBudget(ETHER), budget - LARGE, 1 ether);
        assertEq(vault.openWithdrawals(alice), 1);
        (uint64 after_, uint64 afterBlock, uint64 expires) = vault.queuedUntil(id);
        assertEq(after_, opens);
        assertEq(afterBlock, block.number + QUEUE_BLOCKS);
        assertEq(expires, opens + QUEUE_LIFETIME);
    }

    function test_Payout_WhenTheRecipientRefuses() external {
        // it should be Deferred and claimable by the owner
        _depositEther(alice, 10 ether);
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, rejecter, 1 ether);
        _expectEvent();
        emit PayoutDeferred(id, ETHER, alice, 5, Kind.Request, w.nonce, rejecter, 1 ether, 0);
        _payout(_requestItem(w));
        _assertState(id, State.Deferred);
        assertEq(vault.claimable(ETHER, alice), 1 ether);
        assertEq(vault.claimable(ETHER, rejecter), 0);
        assertEq(vault.claimableTotal(ETHER), 1 ether);
        assertEq(vault.accounted(ETHER), 9 ether);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    function test_Payout_WhenNothingStandsInTheWay() external {
        // it should be Paid and debited
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _expectEvent();
        emit Paid(id, ETHER, alice, 5, Kind.Request, w.nonce, carol, 1 ether, 0);
        _payout(_requestItem(w));
        _assertState(id, State.Paid);
        assertEq(carol.balance, 1 ether);
        assertEq(vault.accounted(ETHER), 899 ether);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    // ---------------------------------------------------------------- payoutBatch

    function test_PayoutBatch_RevertWhen_PayoutsArePaused() external {
        uint64 until = _pauseBoth();
        bytes[] memory signatures = _payoutQuorum(bytes32(0));
        _reverts(abi.encodeWithSelector(PayoutsArePaused.selector, until));
        vault.payoutBatch(new PayoutItem[](0), bytes32(0), signatures);
    }

    function test_PayoutBatch_RevertWhen_SignaturesAreMissing() external {
        _reverts(abi.encodeWithSelector(SignaturesMissing.selector, 0, 2));
        vault.payoutBatch(new PayoutItem[](0), bytes32(0), new bytes[](0));
    }

    function test_PayoutBatch_WhenAnItemIsNotUnderTheRoot() external {
        // it should skip it
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        PayoutItem[] memory items = new PayoutItem[](1);
        items[0] = _requestItem(w);
        bytes32 root = keccak256("another");
        bytes[] memory signatures = _payoutQuorum(root);
        _expectEvent();
        emit IVault.PayoutSkipped(
            id, abi.encodeWithSelector(ProofInvalid.selector, _payoutLeaf(items[0]), root)
        );
        vault.payoutBatch(items, root, signatures);
        _assertState(id, State.Requested);
    }

    function test_PayoutBatch_WhenAnItemCannotBePaid() external {
        // it should skip it and pay the others
        (Withdrawal memory good, bytes32 id) = _smallRequest();
        Withdrawal memory bad = _intent(alice, ETHER, carol, 1 ether, 9);
        PayoutItem[] memory items = _batchOf(_requestItem(bad), _requestItem(good));
        _expectEvent();
        emit IVault.PayoutSkipped(
            _id(Kind.Request, bad), _notPayable(_id(Kind.Request, bad), State.None)
        );
        _payoutBatch(items);
        _assertState(id, State.Paid);
        assertEq(carol.balance, 1 ether);
    }

    function test_PayoutBatch_WhenAnItemComesTwice() external {
        // it should pay it once
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _payoutBatch(_batchOf(_requestItem(w), _requestItem(w)));
        _assertState(id, State.Paid);
        assertEq(carol.balance, 1 ether);
        assertEq(vault.accounted(ETHER), 899 ether);
    }

    // ---------------------------------------------------------------- finalize

    function test_Finalize_RevertWhen_PayoutsArePaused() external {
        (Withdrawal memory w,) = _queuedRequest(carol);
        _passWindow();
        uint64 until = _pauseBoth();
        _reverts(abi.encodeWithSelector(PayoutsArePaused.selector, until));
        vault.finalize(Kind.Request, w);
    }

    function test_Finalize_RevertGiven_TheIdIsNotQueued() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _reverts(abi.encodeWithSelector(PayoutNotQueued.selector, id, State.Requested));
        vault.finalize(Kind.Request, w);
    }

    function _windowOpen(bytes32 id) private view returns (bytes memory) {
        (uint64 opens, uint64 opensAtBlock,) = vault.queuedUntil(id);
        return abi.encodeWithSelector(PayoutWindowOpen.selector, id, opens, opensAtBlock);
    }

    function test_Finalize_RevertWhen_TheWindowIsOpenInTime() external {
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        vm.warp(block.timestamp + QUEUE_WINDOW - 1);
        vm.roll(block.number + 2 * QUEUE_BLOCKS);
        _reverts(_windowOpen(id));
        vault.finalize(Kind.Request, w);
        vm.warp(block.timestamp + 1);
        vault.finalize(Kind.Request, w);
    }

    function test_Finalize_RevertWhen_TheWindowIsOpenInBlocks() external {
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        vm.warp(block.timestamp + 2 * QUEUE_WINDOW);
        vm.roll(block.number + QUEUE_BLOCKS - 1);
        _reverts(_windowOpen(id));
        vault.finalize(Kind.Request, w);
        vm.roll(block.number + 1);
        vault.finalize(Kind.Request, w);
    }

    function test_Finalize_RevertWhen_TheQueueHasExpired() external {
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        (,, uint64 expires) = vault.queuedUntil(id);
        vm.roll(block.number + QUEUE_BLOCKS);
        vm.warp(uint256(expires) + 1);
        _reverts(PayoutQueueExpired.selector, id, expires);
        vault.finalize(Kind.Request, w);
        vm.warp(expires);
        vault.finalize(Kind.Request, w);
    }

    function test_Finalize_RevertGiven_TheVaultHoldsTooLittleByNow() external {
        _depositEther(alice, 500 ether);
        (Withdrawal memory first,) = _request(alice, ETHER, carol, 300 ether);
        (Withdrawal memory second,) = _request(alice, ETHER, carol, 300 ether);
        _payout(_requestItem(first));
        _payout(_requestItem(second));
        _passWindow();
        vault.finalize(Kind.Request, first);
        _reverts(abi.encodeWithSelector(AccountedTooLow.selector, ETHER, 200 ether, 300 ether));
        vault.finalize(Kind.Request, second);
    }

    function test_Finalize_WhenTheRecipientRefuses() external {
        // it should be Deferred
        (Withdrawal memory w, bytes32 id) = _queuedRequest(rejecter);
        _passWindow();
        vault.finalize(Kind.Request, w);
        _assertState(id, State.Deferred);
        assertEq(vault.claimable(ETHER, alice), LARGE);
        assertEq(vault.accounted(ETHER), 400 ether);
    }

    function test_Finalize_WhenTheWindowIsOver() external {
        // it should be Paid without drawing on the budget again
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        _passWindow();
        uint128 budget = vault.payoutBudget(ETHER);
        _expectEvent();
        emit Paid(id, ETHER, alice, 6, Kind.Request, w.nonce, carol, LARGE, 0);
        vm.prank(relayer);
        vault.finalize(Kind.Request, w);
        _assertState(id, State.Paid);
        assertEq(carol.balance, LARGE);
        assertEq(vault.accounted(ETHER), 400 ether);
        assertEq(vault.payoutBudget(ETHER), budget);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    // ---------------------------------------------------------------- veto

    function test_Veto_RevertGiven_TheIdIsNotQueued() external {
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _reverts(abi.encodeWithSelector(PayoutNotQueued.selector, id, State.Requested));
        vm.prank(guardian);
        vault.veto(Kind.Request, w);
    }

    function test_Veto_RevertWhen_TheCallerIsNotTheGuardian() external {
        (Withdrawal memory w,) = _queuedRequest(carol);
        _expectUnauthorized(admin, GUARDIAN_ROLE);
        vm.prank(admin);
        vault.veto(Kind.Request, w);
    }

    function test_Veto_GivenTheIdIsQueued() external {
        // it should be Refused and stay so
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        _expectEvent();
        emit PayoutVetoed(id, ETHER, alice, 6, Kind.Request, w.nonce);
        vm.prank(guardian);
        vault.veto(Kind.Request, w);
        _assertState(id, State.Refused);
        assertEq(vault.openWithdrawals(alice), 0);
        _passWindow();
        _reverts(abi.encodeWithSelector(PayoutNotQueued.selector, id, State.Refused));
        vault.finalize(Kind.Request, w);
    }
}
