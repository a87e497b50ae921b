// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VaultTest} from "../utils/VaultTest.sol";

contract CancelTest is VaultTest {
    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
    }

    function testFuzz_AnybodyClosesAnExpiredRequest(address caller, uint64 late) public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        vm.warp(uint256(w.deadline) + bound(late, 1, 365 days));
        _expectEvent();
        emit Cancelled(id, ETHER, alice, 5, Kind.Request, 4);
        vm.prank(caller);
        vault.cancelExpired(Kind.Request, w);
        _assertState(id, State.Cancelled);
        assertEq(vault.openWithdrawals(alice), 0);
        assertEq(vault.accounted(ETHER), 100 ether);
    }

    function testFuzz_NothingIsCancelledInTime(uint64 when) public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        vm.warp(bound(when, block.timestamp, w.deadline));
        vm.expectRevert(abi.encodeWithSelector(DeadlineNotPassed.selector, id, w.deadline));
        vault.cancelExpired(Kind.Request, w);
    }

    function test_TheDeadlineItselfStillBelongsToThePayout() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        vm.warp(w.deadline);
        vm.expectRevert(abi.encodeWithSelector(DeadlineNotPassed.selector, id, w.deadline));
        vault.cancelExpired(Kind.Request, w);
        vm.warp(uint256(w.deadline) + 1);
        vault.cancelExpired(Kind.Request, w);
        _assertState(id, State.Cancelled);
    }

    function test_WhatIsFinalStaysFinal() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        _payout(_requestItem(w));
        vm.warp(uint256(w.deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(WithdrawalNotCancellable.selector, id, State.Paid));
        vault.cancelExpired(Kind.Request, w);
    }

    function test_CancelledIsFinalToo() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        vm.warp(uint256(w.deadline) + 1);
        vault.cancelExpired(Kind.Request, w);
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalNotCancellable.selector, id, State.Cancelled)
        );
        vault.cancelExpired(Kind.Request, w);
        vm.warp(w.deadline);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalNotPayable.selector, id, Kind.Request, State.Cancelled)
        );
        vault.payout(item, signatures);
    }

    function test_AnotherDeadlineNamesAnotherRequest() public {
        (Withdrawal memory w,) = _request(alice, ETHER, bob, 1 ether);
        w.deadline = uint64(block.timestamp) - 1;
        bytes32 id = _id(Kind.Request, w);
        vm.expectRevert(abi.encodeWithSelector(WithdrawalNotCancellable.selector, id, State.None));
        vault.cancelExpired(Kind.Request, w);
    }

    function test_IntentsAreNotCancelled() public {
        Withdrawal memory w = _intent(alice, ETHER, bob, 1 ether, 1);
        vm.warp(uint256(w.deadline) + 1);
        bytes32 id = _id(Kind.Intent, w);
        vm.expectRevert(abi.encodeWithSelector(WithdrawalNotCancellable.selector, id, State.None));
        vault.cancelExpired(Kind.Intent, w);
    }

    function test_NoPauseStopsACancellation() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        vm.warp(uint256(w.deadline) + 1);
        vm.startPrank(pauser);
        vault.pauseDeposits();
        vault.pausePayouts();
        vm.stopPrank();
        vault.cancelExpired(Kind.Request, w);
        _assertState(id, State.Cancelled);
    }
}
